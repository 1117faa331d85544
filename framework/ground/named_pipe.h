// Files that would be waited for instead of read.
#pragma once

#include <filesystem>

namespace sectile {

// A pipe with a name in a folder: opening it waits for somebody who writes to it. False for /dev/fd/63 and the like,
// with which a shell passes the output of another command.
bool is_named_pipe(const std::filesystem::path& file);

}  // namespace sectile
