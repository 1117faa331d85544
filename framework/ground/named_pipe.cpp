#include "named_pipe.h"

namespace sectile {

bool is_named_pipe(const std::filesystem::path& file) {
  std::error_code unknown;
  if (!std::filesystem::is_fifo(file, unknown)) return false;
  const auto name = file.string();
  return !name.starts_with("/dev/") && !name.starts_with("/proc/");
}

}  // namespace sectile
