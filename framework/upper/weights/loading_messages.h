// What is said about a weights file that was loaded, or is refused.
#pragma once

#include <string>

#include "loading.h"

namespace sectile {

// Throws DataError for a file that does not fit: a wrong shape or type, no weights at all, and, if strict, names that
// differ.
void refuse(const LoadReport& report, const WeightsFile& file);
std::string told(const LoadReport& report, const WeightsFile& file);  // for the user

}  // namespace sectile
