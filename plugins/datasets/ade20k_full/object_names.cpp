#include "object_names.h"

#include <charconv>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include <sectile/error.h>

namespace ade20k_full {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;

void add_utf8(std::string& text, unsigned code) {
  const auto add = [&](unsigned byte) { text += static_cast<char>(byte); };
  if (code < 0x80) {
    add(code);
  } else if (code < 0x800) {
    add(0xC0 | code >> 6), add(0x80 | (code & 0x3F));
  } else {
    add(0xE0 | code >> 12), add(0x80 | (code >> 6 & 0x3F)), add(0x80 | (code & 0x3F));
  }
}

// Sequences of UTF-8 are well formed, which no text of Latin-1 with letters above ASCII is by chance.
bool is_utf8(const std::string& text) {
  std::size_t more = 0;  // bytes that must follow
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (more > 0) {
      if (byte >> 6 != 2) return false;
      --more;
    } else if (byte >= 0x80) {
      more = byte >= 0xC2 && byte < 0xE0 ? 1 : byte >> 4 == 0xE ? 2 : byte >= 0xF0 && byte < 0xF5 ? 3 : 0;
      if (more == 0) return false;
    }
  }
  return more == 0;
}

// The texts of 2020 are in Latin-1 (datumaro reads them so); those that others wrote may be in UTF-8.
std::string text_of(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(file.string(), "cannot be read");
  std::string text{std::istreambuf_iterator<char>(in), {}};
  if (is_utf8(text)) return text;
  std::string converted;
  for (const char c : text) add_utf8(converted, static_cast<unsigned char>(c));
  return converted;
}

std::optional<int> whole_number(std::string_view text) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

// Goes through JSON for three keys: an object with "name" and "name_ndx" is an object of the image, whose "parts" says
// in "part_level" whether it is part of another one. Everything else is passed over. A reader of JSON as such would
// refuse the files of 2020, whose texts are not in UTF-8.
class JsonNames {
 public:
  JsonNames(const fs::path& file, const std::string& text) : file_(file), text_(text) {}

  std::vector<NamedObject> read() {
    for (; at_ < text_.size(); ++at_) {
      const char c = text_[at_];
      if (c == '{')
        open();
      else if (c == '}')
        close();
      else if (c == '"')
        string();
      else if ((c >= '0' && c <= '9') || c == '-')
        number();
      else if (c == ':')
        after_colon_ = true;
      else if (c == ',' || c == '[')
        after_colon_ = false;
    }
    if (!open_.empty()) fail("ends inside an object");
    return std::move(found_);
  }

 private:
  struct Open {
    std::string key;
    std::optional<std::string> name;
    std::optional<int> number;
    int part_level = 0;
  };

  [[noreturn]] void fail(const std::string& what) const {
    throw DataError(file_.string(), "is not JSON of ADE20K: " + what + " at byte " + std::to_string(at_));
  }

  void open() {
    constexpr std::size_t kDeepest = 100;
    if (open_.size() == kDeepest) fail("more than " + std::to_string(kDeepest) + " objects inside each other");
    open_.emplace_back();
    after_colon_ = false;
  }

  void close() {
    if (open_.empty()) fail("a } without {");
    const Open one = std::move(open_.back());
    open_.pop_back();
    after_colon_ = false;
    if (one.name && one.number) {
      if (one.part_level == 0) found_.push_back({*one.number, *one.name});
    } else if (!open_.empty() && one.part_level > 0) {
      open_.back().part_level = one.part_level;  // of "parts"
    }
  }

  void string() {
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != '"'; ++at_) {
      if (text_[at_] == '\\' && at_ + 1 < text_.size())
        escape(value);
      else
        value += text_[at_];
    }
    if (at_ >= text_.size()) fail("a text without end");
    if (open_.empty()) return;
    auto& here = open_.back();
    if (!after_colon_)
      here.key = value;
    else if (here.key == "name")
      here.name = value;
    after_colon_ = false;
  }

  void escape(std::string& value) {
    constexpr std::size_t kDigits = 4;
    const char* const digits = text_.data() + ++at_ + 1;
    unsigned code = 0;
    if (text_[at_] != 'u' || text_.size() - at_ <= kDigits ||
        std::from_chars(digits, digits + kDigits, code, 16).ptr != digits + kDigits) {
      value += text_[at_];
      return;
    }
    const bool is_half = code >= 0xD800 && code < 0xE000;  // of a character that no name of a class has
    add_utf8(value, is_half ? '?' : code);
    at_ += kDigits;
  }

  void number() {
    const auto begin = at_;
    while (at_ + 1 < text_.size() && std::string_view("0123456789+-.eE").find(text_[at_ + 1]) != std::string::npos)
      ++at_;
    if (open_.empty() || !after_colon_) return;
    auto& here = open_.back();
    const auto value = whole_number(std::string_view(text_).substr(begin, at_ + 1 - begin));
    if (here.key == "name_ndx") {
      if (!value) fail("\"name_ndx\" is not a whole number");
      here.number = value;
    } else if (here.key == "part_level") {
      here.part_level = value.value_or(0);
    }
    after_colon_ = false;
  }

  const fs::path& file_;
  const std::string& text_;
  std::size_t at_ = 0;
  bool after_colon_ = false;  // in an object: what comes is the value of the key
  std::vector<Open> open_;
  std::vector<NamedObject> found_;
};

}  // namespace

std::vector<NamedObject> read_json(const fs::path& file) {
  const auto text = text_of(file);
  return JsonNames(file, text).read();
}

// "001 # 0 # 1 # sky # sky # """: number, part level, occluded, names of the class, name as typed, attributes.
std::vector<NamedObject> read_attributes(const fs::path& file) {
  std::istringstream lines(text_of(file));
  std::vector<NamedObject> found;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    if (trimmed(line).empty()) continue;
    std::vector<std::string_view> parts;
    for (std::string_view rest = line;;) {
      const auto end = rest.find('#');
      parts.push_back(trimmed(rest.substr(0, end)));
      if (end == std::string_view::npos) break;
      rest.remove_prefix(end + 1);
    }
    const auto object = whole_number(parts[0]), level = parts.size() > 3 ? whole_number(parts[1]) : std::nullopt;
    if (!object || !level || parts[3].empty())
      throw DataError(file.string() + ", line " + std::to_string(number),
                      "is \"" + line.substr(0, 60) +
                          "\"; expected: number # part level # occluded # class # name # "
                          "attributes");
    if (*level == 0) found.push_back({*object, std::string(parts[3])});
  }
  return found;
}

}  // namespace ade20k_full
