#include "progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>
#include <iostream>

#include "../framework/ground/file_notes.h"
#include "printable.h"

namespace sectile {
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kLiveInterval = std::chrono::milliseconds(100);
constexpr auto kPlainInterval = std::chrono::seconds(10);
constexpr const char* kEraseLine = "\r\x1b[K";

}  // namespace

Progress::Progress(bool quiet, Stream stream)
    : quiet_(quiet),
      out_(stream == Stream::errors ? std::cerr : std::cout),
      live_(isatty(stream == Stream::errors ? STDERR_FILENO : STDOUT_FILENO) != 0),
      next_(Clock::now()) {}
Progress::~Progress() { clear(); }

void Progress::show(const std::string& line, bool last) {
  const auto now = Clock::now();
  if (quiet_ || (now < next_ && !last)) return;
  if (live_)
    out_ << kEraseLine << line << std::flush;
  else
    out_ << line << std::endl;
  shown_ = live_;
  next_ = now + (live_ ? std::chrono::duration_cast<Clock::duration>(kLiveInterval)
                       : std::chrono::duration_cast<Clock::duration>(kPlainInterval));
}

void Progress::clear() {
  if (shown_) out_ << kEraseLine << std::flush;
  shown_ = false;
}

void Progress::say(const std::string& line) {
  if (quiet_) return;
  clear();
  out_ << printable(line) << std::endl;
}

void Progress::tell_file_notes() {
  for (const auto& note : take_file_notes()) say("note: " + note);
}

std::string duration(double seconds) {
  const auto whole = static_cast<long>(std::lround(seconds));
  char text[32];
  if (whole < 60)
    std::snprintf(text, sizeof text, "%ld s", whole);
  else if (whole < 3600)
    std::snprintf(text, sizeof text, "%ld:%02ld min", whole / 60, whole % 60);
  else
    std::snprintf(text, sizeof text, "%ld:%02ld:%02ld h", whole / 3600, whole / 60 % 60, whole % 60);
  return text;
}

}  // namespace sectile
