// log.jsonl: one JSON object per line, for plotting and comparing runs.
#pragma once

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <string>
#include <vector>

namespace sectile {

// One line, built member by member. Numbers keep all digits; NaN and Inf become null.
class JsonLine {
 public:
  JsonLine& add(const std::string& name, double value);
  JsonLine& add(const std::string& name, std::int64_t value);
  JsonLine& add(const std::string& name, const std::string& value);
  JsonLine& add(const std::string& name, const JsonLine& value);
  JsonLine& add(const std::string& name, const std::vector<std::string>& values);
  JsonLine& add(const std::string& name, const std::vector<double>& values);
  JsonLine& add(const std::string& name, const std::vector<JsonLine>& values);
  std::string text() const { return "{" + members_ + "}"; }

 private:
  JsonLine& member(const std::string& name, const std::string& json);
  std::string members_;
};

class EventLog {
 public:
  explicit EventLog(const std::filesystem::path& file);  // starts a new log; throws DataError
  // Keeps the lines up to this step (their member "step"), and discards later ones.
  EventLog(const std::filesystem::path& file, std::int64_t last_step);
  ~EventLog();
  EventLog(const EventLog&) = delete;
  EventLog& operator=(const EventLog&) = delete;
  void write(const JsonLine& line);  // flushed to the operating system; throws DataError

 private:
  const std::filesystem::path file_;
  std::FILE* out_;
};

}  // namespace sectile
