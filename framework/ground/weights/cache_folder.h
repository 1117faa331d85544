// Where files are kept that can be made again.
#pragma once

#include <filesystem>

namespace sectile {

// $SECTILE_CACHE; by default $XDG_CACHE_HOME/sectile or ~/.cache/sectile. Empty if there is no home folder either.
std::filesystem::path user_cache_folder();

}  // namespace sectile
