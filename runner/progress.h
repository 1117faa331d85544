// Progress of a command: one line that is updated on a terminal, a line every ten seconds in a pipe, nothing with
// --quiet. Where standard output has results, it is on the other stream, so that they can be piped.
#pragma once

#include <chrono>
#include <iosfwd>
#include <string>

namespace sectile {

class Progress {
 public:
  enum class Stream { output, errors };
  explicit Progress(bool quiet, Stream stream = Stream::output);
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  void show(const std::string& line,
            bool last = false);       // replaces the current line; in a pipe every ten seconds, and the last one
  void clear();                       // before other output
  void say(const std::string& line);  // stays
  void tell_file_notes();             // those since the last call

 private:
  const bool quiet_;
  std::ostream& out_;
  const bool live_;
  bool shown_ = false;
  std::chrono::steady_clock::time_point next_;
};

std::string duration(double seconds);  // "45 s", "3:20 min", "2:05:00 h"

}  // namespace sectile
