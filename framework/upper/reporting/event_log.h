// log.jsonl: one JSON object per line, for plotting and comparing runs.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "../../ground/json_line.h"

namespace sectile {

class EventLog {
 public:
  explicit EventLog(const std::filesystem::path& file);  // starts a new log; throws DataError
  // What of an earlier log is kept: lines up to this step (their member "step").
  struct Kept {
    std::filesystem::path from;  // the earlier log, which may be the same file
    std::int64_t last_step = 0;
    bool last_evaluation = true;  // whether the evaluation after that step is kept too
  };
  EventLog(const std::filesystem::path& file, const Kept& kept);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;
  // Passed to the operating system. Throws DataError; then the file has no part of the line, and flush() tries again.
  void write(const JsonLine& line);
  void flush();

 private:
  const std::filesystem::path file_;
  int descriptor_ = -1;
  std::string unwritten_;
};

}  // namespace sectile
