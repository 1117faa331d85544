// Progress of a download: a line on the error stream if that is a terminal.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

namespace sectile {

// For DownloadOptions::progress; empty with --quiet and without a terminal. what: such as the name of the weights.
std::function<void(std::uint64_t done, std::uint64_t total)> download_progress(const std::string& what, bool quiet);

}  // namespace sectile
