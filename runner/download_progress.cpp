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

std::string megabytes(std::uint64_t bytes) {
  return std::to_string(static_cast<std::uint64_t>(static_cast<double>(bytes) / kMegabyte + 0.5));
}

// One line on a terminal, which is rewritten; else one that is written once.
class Line {
 public:
  void show(const std::string& name, std::uint64_t done, std::uint64_t total) {
    if (isatty(STDERR_FILENO) == 0) {
      if (!open_) std::cerr << "downloading " << name << std::endl;
    } else {
      const auto time = Clock::now();
      if (done == done_ || (time < next_ && done != total)) return;
      done_ = done;
      next_ = time + kBetween;
      std::cerr << "\r\x1b[Kdownloading " << name << ": " << megabytes(done)
                << (total > 0 ? " of " + megabytes(total) : "") << " MB" << std::flush;
    }
    open_ = true;
  }
  void end() {
    if (open_ && isatty(STDERR_FILENO) != 0) std::cerr << "\n";
    *this = {};
  }

 private:
  bool open_ = false;
  std::uint64_t done_ = 0;  // bytes that it shows
  Clock::time_point next_{};
};

}  // namespace

DownloadOptions told_downloads(bool quiet) {
  if (quiet) return {};
  const auto line = std::make_shared<Line>();
  return {.progress = [line](const CatalogueEntry& entry, std::uint64_t done,
                             std::uint64_t total) { line->show(entry.name, done, total); },
          .waits =
              [](const CatalogueEntry& entry) {
                std::cerr << "note: another process downloads " << entry.name << "; waiting for it\n";
              },
          .ended = [line] { line->end(); }};
}

}  // namespace sectile
