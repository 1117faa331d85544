#include "event_log.h"

#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>

#include <sectile/error.h>

namespace sectile {
namespace {

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

}  // namespace

JsonLine& JsonLine::member(const std::string& name, const std::string& json) {
  members_ += (members_.empty() ? "" : ", ") + quoted(name) + ": " + json;
  return *this;
}
JsonLine& JsonLine::add(const std::string& name, double value) {
  return member(name, std::isfinite(value) ? digits(value) : "null");
}
JsonLine& JsonLine::add(const std::string& name, std::int64_t value) { return member(name, digits(value)); }
JsonLine& JsonLine::add(const std::string& name, const std::string& value) { return member(name, quoted(value)); }
JsonLine& JsonLine::add(const std::string& name, const JsonLine& value) { return member(name, value.text()); }

EventLog::EventLog(const std::filesystem::path& file) : file_(file), out_(std::fopen(file.c_str(), "w")) {
  if (!out_) throw DataError(file, std::string("cannot be written: ") + std::strerror(errno));
}
EventLog::~EventLog() { std::fclose(out_); }

void EventLog::write(const JsonLine& line) {
  const auto text = line.text() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), out_) != text.size() || std::fflush(out_) != 0)
    throw DataError(file_, std::string("cannot be written: ") + std::strerror(errno));
}

}  // namespace sectile
