#include "download_progress.h"

#include <unistd.h>

#include <chrono>
#include <iostream>
#include <memory>

namespace sectile {
namespace {

using Clock = std::chrono::steady_clock;

constexpr double kMegabyte = 1e6;
constexpr std::chrono::milliseconds kBetween{200};

// Ends before whatever is printed after the download.
struct Line {
  std::uint64_t done = 0;  // bytes that it shows
  Clock::time_point next{};
  ~Line() {
    if (done > 0) std::cerr << "\n";
  }
};

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(static_cast<std::uint64_t>(static_cast<double>(bytes) / kMegabyte + 0.5));
}

}  // namespace

std::function<void(std::uint64_t, std::uint64_t)> download_progress(const std::string& what, bool quiet) {
  if (quiet || isatty(STDERR_FILENO) == 0) return {};
  const auto line = std::make_shared<Line>();
  return [what, line](std::uint64_t done, std::uint64_t total) {
    const auto time = Clock::now();
    if (done == line->done || (time < line->next && done != total)) return;
    line->done = done;
    line->next = time + kBetween;
    std::cerr << "\r\x1b[K" << what << ": " << megabytes(done) << (total > 0 ? " of " + megabytes(total) : "") << " MB"
              << std::flush;
  };
}

}  // namespace sectile
