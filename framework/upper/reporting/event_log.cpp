#include "event_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <string_view>

#include <sectile/error.h>

#include "../../ground/images/image_file.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

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

std::string number(double value) { return std::isfinite(value) ? digits(value) : "null"; }

// Every line of EventLog has it near the beginning.
std::int64_t step_of(const std::string& line) {
  const std::string key = "\"step\": ";
  const auto at = line.find(key);
  return at == std::string::npos ? 0 : std::atoll(line.c_str() + at + key.size());
}

bool is_evaluation(const std::string& line) { return line.starts_with("{\"event\": \"evaluation\""); }

[[noreturn]] void cannot_be_written(const fs::path& file, int problem) {
  throw DataError(file, std::string("cannot be written: ") + std::strerror(problem));
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

EventLog::EventLog(const fs::path& file)
    : file_(file), descriptor_(open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) cannot_be_written(file, errno);
}
EventLog::EventLog(const fs::path& file, const Kept& kept) : file_(file) {
  ReplacedFile out(file);
  std::ifstream before(kept.from);
  for (std::string line; std::getline(before, line) && !before.eof();) {  // an incomplete line is from a crash
    const auto step = step_of(line);
    if (step > kept.last_step || (step == kept.last_step && !kept.last_evaluation && is_evaluation(line))) continue;
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), out.stream());
  }
  out.commit();
  descriptor_ = open(file.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC);
  if (descriptor_ < 0) cannot_be_written(file, errno);
}
EventLog::~EventLog() { close(descriptor_); }

void EventLog::write(const JsonLine& line) {
  unwritten_ += line.text() + "\n";
  flush();
}

void EventLog::flush() {
  const auto end = lseek(descriptor_, 0, SEEK_END);
  for (std::size_t done = 0; done < unwritten_.size();) {
    const auto count = ::write(descriptor_, unwritten_.data() + done, unwritten_.size() - done);
    if (count >= 0) {
      done += static_cast<std::size_t>(count);
      continue;
    }
    if (errno == EINTR) continue;
    const int problem = errno;
    if (ftruncate(descriptor_, end) != 0) unwritten_.clear();  // a part of it stays: reading discards it
    cannot_be_written(file_, problem);
  }
  unwritten_.clear();
}

}  // namespace sectile
