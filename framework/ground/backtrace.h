// Messages of LibTorch's exceptions, which end with source location and stack frames.
#pragma once

#include <string>

namespace sectile {

std::string without_backtrace(std::string message);

}  // namespace sectile
