#include "json_line.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <string_view>

namespace sectile {
namespace {

// Bytes of the character at the beginning, 1 to 4; 0: it is not UTF-8 (RFC 3629).
std::size_t character_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<unsigned char>(text[i]) : 0u; };
  const auto first = byte(0), second = byte(1);
  if (first < 0x80) return 1;
  const std::size_t count = first >= 0xf5 ? 0 : first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  for (std::size_t i = 1; i < count; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const bool overlong = (first == 0xe0 && second < 0xa0) || (first == 0xf0 && second < 0x90);
  const bool surrogate = first == 0xed && second >= 0xa0, too_large = first == 0xf4 && second >= 0x90;
  return overlong || surrogate || too_large ? 0 : count;
}

// File names may have any bytes; those that are not UTF-8 are written as the text \xe9, as Python's backslashreplace
// does, so that names remain distinct.
std::string quoted(const std::string& text) {
  std::string json = "\"";
  const auto escaped = [&json](const char* format, char c) {
    char escape[8];
    std::snprintf(escape, sizeof escape, format, static_cast<unsigned>(static_cast<unsigned char>(c)));
    json += escape;
  };
  for (std::string_view rest = text; !rest.empty();) {
    const auto bytes = character_bytes(rest);
    const char c = rest.front();
    if (bytes == 0) {
      escaped("\\\\x%02x", c);
    } else if (static_cast<unsigned char>(c) < 0x20) {
      escaped("\\u%04x", c);
    } else {
      if (c == '"' || c == '\\') json += '\\';
      json += rest.substr(0, bytes);
    }
    rest.remove_prefix(std::max<std::size_t>(bytes, 1));
  }
  return json + "\"";
}

template <class Number>
std::string digits(Number value) {
  char text[32];
  return {text, std::to_chars(text, text + sizeof text, value).ptr};
}

// JSON has neither. An undefined value and an infinite one are not the same: a mean distance of missed objects is
// infinite. As a text that float() of Python and Number() of JavaScript read.
std::string number(double value) {
  if (std::isnan(value)) return "null";
  if (std::isinf(value)) return value > 0 ? "\"Infinity\"" : "\"-Infinity\"";
  return digits(value);
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

}  // namespace sectile
