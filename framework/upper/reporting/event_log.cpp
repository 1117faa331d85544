#include "event_log.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>

#include <sectile/error.h>

#include "../../ground/images/image_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

std::string quoted(const std::string& text) {
  std::string json = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') json += '\\';
    if (static_cast<unsigned char>(c) < 0x20) {
      char escape[7];
      std::snprintf(escape, sizeof escape, "\\u%04x", c);
      json += escape;
    } else {
      json += c;
    }
  }
  return json + "\"";
}

template <class Number>
std::string digits(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

std::string number(double value) { return std::isfinite(value) ? digits(value) : "null"; }

// Every line of EventLog has it near the beginning.
std::int64_t step_of(const std::string& line) {
  const std::string key = "\"step\": ";
  const auto at = line.find(key);
  return at == std::string::npos ? 0 : std::atoll(line.c_str() + at + key.size());
}

}  // namespace

JsonLine& JsonLine::member(const std::string& name, const std::string& json) {
  members_ += (members_.empty() ? "" : ", ") + quoted(name) + ": " + json;
  return *this;
}
JsonLine& JsonLine::add(const std::string& name, double value) { return member(name, number(value)); }
JsonLine& JsonLine::add(const std::string& name, std::int64_t value) { return member(name, digits(value)); }
JsonLine& JsonLine::add(const std::string& name, const std::string& value) { return member(name, quoted(value)); }
JsonLine& JsonLine::add(const std::string& name, const JsonLine& value) { return member(name, value.text()); }
JsonLine& JsonLine::add(const std::string& name, const std::vector<std::string>& values) {
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ", ") + quoted(value);
  return member(name, "[" + list + "]");
}

JsonLine& JsonLine::add(const std::string& name, const std::vector<JsonLine>& values) {
  std::string list;
  for (const auto& value : values) list += (list.empty() ? "" : ", ") + value.text();
  return member(name, "[" + list + "]");
}
JsonLine& JsonLine::add(const std::string& name, const std::vector<double>& values) {
  std::string list;
  for (const double value : values) list += (list.empty() ? "" : ", ") + number(value);
  return member(name, "[" + list + "]");
}

EventLog::EventLog(const fs::path& file) : file_(file), out_(std::fopen(file.c_str(), "w")) {
  if (!out_) throw DataError(file, std::string("cannot be written: ") + std::strerror(errno));
}
EventLog::EventLog(const fs::path& file, std::int64_t last_step) : file_(file), out_(nullptr) {
  ReplacedFile kept(file);
  std::ifstream before(file);
  for (std::string line; std::getline(before, line) && !before.eof();) {  // an incomplete line is from a crash
    if (step_of(line) > last_step) continue;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), kept.stream());
  }
  kept.commit();
  out_ = std::fopen(file.c_str(), "a");
  if (!out_) throw DataError(file, std::string("cannot be written: ") + std::strerror(errno));
}
EventLog::~EventLog() { std::fclose(out_); }

void EventLog::write(const JsonLine& line) {
  const auto text = line.text() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), out_) != text.size() || std::fflush(out_) != 0)
    throw DataError(file_, std::string("cannot be written: ") + std::strerror(errno));
}

}  // namespace sectile
