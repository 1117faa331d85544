#include "download_progress.h"

#include <unistd.h>

#include <chrono>
#include <iostream>

namespace sectile {
namespace {

constexpr double kMegabyte = 1e6;
constexpr std::chrono::milliseconds kBetween{200};

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(static_cast<std::uint64_t>(static_cast<double>(bytes) / kMegabyte + 0.5));
}

}  // namespace

std::function<void(std::uint64_t, std::uint64_t)> download_progress(const std::string& what, bool quiet) {
  if (quiet || isatty(STDERR_FILENO) == 0) return {};
  return [what, next = std::chrono::steady_clock::time_point()](std::uint64_t done, std::uint64_t total) mutable {
    const auto time = std::chrono::steady_clock::now();
    const bool last = total > 0 && done == total;
    if (done == 0 || (time < next && !last)) return;
    next = last ? std::chrono::steady_clock::time_point::max() : time + kBetween;
    std::cerr << "\r\x1b[K" << what << ": " << megabytes(done) << (total > 0 ? " of " + megabytes(total) : "") << " MB"
              << (last ? "\n" : "") << std::flush;
  };
}

}  // namespace sectile
