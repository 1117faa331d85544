#include "json_text.h"

#include <algorithm>
#include <set>

namespace sectile {
namespace {

// Enough for a list of a hundred thousand samples. With what is said about it, a value takes up to 400 bytes.
constexpr std::size_t kMostValues = 200'000;
constexpr std::size_t kLongest = 60;  // of a quoted value

struct TooLarge {
  std::string what;
};

// Tracks the position of the parser: its callbacks report keys and values, but not their location.
class Duplicates {
 public:
  Duplicates(const std::string& prefix, std::vector<Problem>& problems) : prefix_(prefix), problems_(problems) {}

  void see(Json::parse_event_t event, const Json& parsed) {
    if (++seen_ > kMostValues) throw TooLarge{"has more than " + std::to_string(kMostValues) + " values"};
    switch (event) {
      case Json::parse_event_t::object_start:
      case Json::parse_event_t::array_start:
        count();
        levels_.push_back({.array = event == Json::parse_event_t::array_start});
        if (levels_.size() > kDeepestJson)
          throw TooLarge{"is nested more than " + std::to_string(kDeepestJson) + " deep"};
        return;
      case Json::parse_event_t::object_end:
      case Json::parse_event_t::array_end:
        return levels_.pop_back();
      case Json::parse_event_t::key:
        levels_.back().key = parsed.get<std::string>();
        if (!levels_.back().seen.insert(levels_.back().key).second)
          problems_.push_back({pointer(), prefix_ + "is given twice; remove one of them"});
        return;
      case Json::parse_event_t::value:
        return count();
    }
  }

 private:
  struct Level {
    bool array = false;
    std::size_t items = 0;
    std::string key{};
    std::set<std::string> seen{};
  };
  void count() {
    if (!levels_.empty() && levels_.back().array) ++levels_.back().items;
  }
  std::string pointer() const {
    std::string result;
    for (const auto& level : levels_)
      result += "/" + (level.array ? std::to_string(level.items - 1) : escape(level.key));
    return result;
  }

  const std::string prefix_;
  std::vector<Problem>& problems_;
  std::vector<Level> levels_;
  std::size_t seen_ = 0;
};

struct Place {
  std::size_t offset, line, column;
};

Place place_of(const std::string& text, std::size_t byte) {  // byte: number of bytes read, including the wrong one
  Place place{std::min(byte == 0 ? 0 : byte - 1, text.size()), 1, 1};
  for (std::size_t i = 0; i < place.offset; ++i) {
    const bool next_line = text[i] == '\n';
    place.line += next_line;
    place.column = next_line ? 1 : place.column + 1;
  }
  return place;
}

std::string advice(const std::string& text, std::size_t offset, const std::string& what) {
  constexpr const char* kSpace = " \t\r\n";
  const auto at = [&](std::size_t i) { return i < text.size() ? text[i] : '\0'; };
  const auto before = offset == 0 ? std::string::npos : text.find_last_not_of(kSpace, offset - 1);
  const char last = before == std::string::npos ? '\0' : text[before];
  const char wrong = at(offset);
  if (text.find_first_not_of(kSpace) == std::string::npos) return "the file is empty; write a spec in { }";
  if (offset >= text.size()) return "a bracket or a quote is not closed";
  for (const char* second : {"object - unexpected string", "array - unexpected string", "array - unexpected number",
                             "array - unexpected '{'", "array - unexpected '['"})
    if (what.find(second) != std::string::npos) return "a comma is missing before it";
  if (wrong == '/' || last == '/' || wrong == '#') return "JSON has no comments; remove it";
  if ((wrong == '}' || wrong == ']') && last == ',') return "remove the comma before it";
  if (wrong == '\'') return "strings need double quotes";
  if (wrong == '\n' || wrong == '\r') return "close the string with a quote on its line";
  return "look for a comma, a quote or a bracket that is missing or too many";
}

[[noreturn]] void refuse(const std::string& text, const std::string& name, const Json::parse_error& error) {
  const auto place = place_of(text, error.byte);
  std::string what = error.what();
  // "[json.exception.parse_error.101] parse error at line 3, column 7: syntax error while …; last read: '…'"
  const auto head = what.find(": ");
  if (head != std::string::npos) what.erase(0, head + 2);
  throw SpecError("", name + ":" + std::to_string(place.line) + ":" + std::to_string(place.column) +
                          ": is not valid JSON: " + what + "\n  " + advice(text, place.offset, what));
}

}  // namespace

Json parse_json(const std::string& text, const std::string& name, std::vector<Problem>& problems) {
  Duplicates duplicates(name.empty() ? "" : name + ": ", problems);
  try {
    if (text.size() > kLongestJson) throw TooLarge{"has more than " + std::to_string(kLongestJson >> 20) + " MB"};
    return Json::parse(text, [&](int, Json::parse_event_t event, Json& parsed) {
      duplicates.see(event, parsed);
      return true;
    });
  } catch (const Json::parse_error& error) {
    refuse(text, name, error);
  } catch (const Json::exception& error) {  // a number that does not fit a double
    const std::string what = error.what();
    throw SpecError("", name + ": is not valid JSON: " + what.substr(what.find(']') + 2));
  } catch (const TooLarge& error) {
    throw SpecError("", name + ": " + error.what);
  }
}

std::string quoted(const Json& value) {
  if (value.is_array() && !value.empty())
    return "an array of " + std::to_string(value.size()) + (value.size() == 1 ? " value" : " values");
  if (value.is_object() && !value.empty()) return "an object";
  auto text = value.dump(-1, ' ', false, Json::error_handler_t::replace);
  if (text.size() <= kLongest) return text;
  text.resize(kLongest);
  while (!text.empty() && (text.back() & 0xc0) == 0x80) text.pop_back();  // no partial character
  if (!text.empty() && (text.back() & 0x80)) text.pop_back();
  return text + "…\"";
}

std::string json_text(const Json& value) { return value.dump(2, ' ', false, Json::error_handler_t::replace); }

std::string escape(const std::string& key) {
  std::string out;
  for (const char c : key) out += c == '~' ? "~0" : c == '/' ? "~1" : std::string(1, c);
  return out;
}

}  // namespace sectile
