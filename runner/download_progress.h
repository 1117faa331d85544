// Downloads of weights as a user sees them.
#pragma once

#include "../framework/ground/weights/weights_cache.h"

namespace sectile {

// Says on the error stream what is downloaded, and, on a terminal, how far it is. quiet: nothing.
DownloadOptions told_downloads(bool quiet);

}  // namespace sectile
