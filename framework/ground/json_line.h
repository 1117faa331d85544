// JSON that is written, not read: reports and logs.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace sectile {

// One line, built member by member. Numbers keep all digits; NaN becomes null, and what is infinite the
// text "Infinity" or "-Infinity".
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

}  // namespace sectile
