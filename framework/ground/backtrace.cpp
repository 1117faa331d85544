#include "backtrace.h"

#include <algorithm>

namespace sectile {

std::string without_backtrace(std::string message) {
  for (const char* begin : {"\nException raised from ", "\nframe #0: "})  // of errors, and of the memory allocator
    message.erase(std::min(message.find(begin), message.size()));
  return message;
}

}  // namespace sectile
