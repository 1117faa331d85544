#include "json_file.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <fstream>

#include <sectile/error.h>

#include "../named_pipe.h"

namespace sectile {
namespace {

constexpr std::string_view kSpaces = " \t\r\n";

simdjson::padded_string read_whole(const std::filesystem::path& file) {
  const auto bytes = JsonFile::checked_size(file);
  simdjson::padded_string text(bytes);
  if (!text.data()) JsonFile::refuse_memory(file);
  std::ifstream in(file, std::ios::binary);
  if (!in.read(text.data(), static_cast<std::streamsize>(bytes)))
    throw DataError(file.string(), std::string("cannot be read: ") + std::strerror(errno));
  return text;
}

}  // namespace

JsonFile::JsonFile(std::filesystem::path file) : file_(std::move(file)), text_(read_whole(file_)) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (std::string_view(text_).starts_with(kByteOrderMark)) std::fill_n(text_.data(), kByteOrderMark.size(), ' ');
  if (trimmed(text_).empty()) throw DataError(file_.string(), "is empty; it should be JSON");
}

std::size_t JsonFile::checked_size(const std::filesystem::path& file) {
  std::error_code error;
  if (std::filesystem::is_directory(file, error))
    throw DataError(file.string(), "is a folder; a JSON file is expected");
  if (is_named_pipe(file)) throw DataError(file.string(), "is a pipe; a JSON file is expected");
  const auto bytes = std::filesystem::file_size(file, error);
  if (error) throw DataError(file.string(), "cannot be read: " + error.message());
  if (bytes >= simdjson::SIMDJSON_MAXSIZE_BYTES)
    throw DataError(file.string(), "is larger than 4 GB; split it into files of fewer images");
  return bytes;
}

void JsonFile::refuse_memory(const std::filesystem::path& file) {
  std::error_code unknown;
  throw DataError(file.string(), "has " + std::to_string(std::filesystem::file_size(file, unknown)) +
                                     " bytes, for which there is not enough memory");
}

void JsonFile::fail_at(const char* at, const std::string& message) const {
  const auto* const begin = text_.data();
  if (!at || at <= begin || at > begin + text_.size()) throw DataError(file_.string(), message);
  const std::string_view before(begin, static_cast<std::size_t>(at - begin));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto column = before.size() - (before.rfind('\n') + 1) + 1;
  throw DataError(file_.string() + ":" + std::to_string(line) + ":" + std::to_string(column), message);
}

std::string JsonFile::why(const simdjson::simdjson_error& error) {
  switch (error.error()) {
    case simdjson::INCORRECT_TYPE:
      return "has a value of another type than is expected here";
    case simdjson::SCALAR_DOCUMENT_AS_VALUE:
      return "is a single value; a list or an object is expected";
    case simdjson::UTF8_ERROR:
      return "is not JSON: it has bytes that are not UTF-8";
    default:
      return std::string("is not JSON, or is damaged: ") + error.what();
  }
}

std::string_view key_of(simdjson::ondemand::raw_json_string key, std::string& buffer) {
  const auto* const begin = reinterpret_cast<const char*>(key.raw());
  const auto* end = begin;
  while (*end != '"') end += *end == '\\' ? 2 : 1;
  return without_escapes({begin, static_cast<std::size_t>(end - begin)}, buffer);
}

std::string_view without_escapes(std::string_view text, std::string& buffer) {
  if (text.find('\\') == std::string_view::npos) return text;
  buffer.clear();
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      buffer += text[i];
      continue;
    }
    constexpr std::size_t kDigits = 4;
    if (text[++i] == 'u' && i + kDigits < text.size()) {
      unsigned code = 0;
      std::from_chars(text.data() + i + 1, text.data() + i + 1 + kDigits, code, 16);
      buffer += code < 128 ? static_cast<char>(code) : '?';
      i += kDigits;
    } else {
      constexpr std::string_view kLetters = "bfnrt", kMeanings = "\b\f\n\r\t";
      const auto letter = kLetters.find(text[i]);
      buffer += letter == std::string_view::npos ? text[i] : kMeanings[letter];
    }
  }
  return buffer;
}

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(kSpaces);
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(kSpaces) - first + 1);
}

bool is(JsonValue value, simdjson::ondemand::json_type type) {
  simdjson::ondemand::json_type found;
  return !value.type().get(found) && found == type;
}

JsonObject root_object(const std::filesystem::path& file, simdjson::ondemand::document& document) {
  simdjson::ondemand::json_type type;
  if (!document.type().get(type) && type != simdjson::ondemand::json_type::object)
    throw DataError(file.string(), "is no object; {\"images\": …, \"annotations\": …, \"categories\": …} is expected");
  return document.get_object();
}

std::string_view raw(JsonValue value) {
  // Where a list begins, its text ends where the next value begins. NaN, as Python writes it, has no type.
  simdjson::ondemand::json_type type;
  if (value.type().get(type)) return trimmed(value.raw_json_token());
  if (type == simdjson::ondemand::json_type::array) return trimmed(value.get_array().value().raw_json());
  if (type == simdjson::ondemand::json_type::object) return trimmed(value.get_object().value().raw_json());
  return trimmed(value.raw_json_token());
}

namespace {

// The number at the beginning, and where it ends; null: there is none, or it is none of JSON.
const char* parse_number(const char* begin, const char* end, double& number) {
  const auto is_digit = [&](const char* at) { return at != end && *at >= '0' && *at <= '9'; };
  const auto* const first = begin + (begin != end && *begin == '-');
  if (!is_digit(first) || (*first == '0' && is_digit(first + 1))) return nullptr;
  const auto [after, error] = std::from_chars(begin, end, number);
  const auto* const point = std::find(first, after, '.');
  if (point != after && !is_digit(point + 1)) return nullptr;
  if (error == std::errc::result_out_of_range)  // it is too small, or too large
    number = std::strtod(std::string(begin, after).c_str(), nullptr);
  else if (error != std::errc())
    return nullptr;
  return std::isfinite(number) ? after : nullptr;
}

}  // namespace

std::optional<double> number_of(std::string_view text) {
  double number = 0;
  const auto* const end = text.data() + text.size();
  if (text.empty() || parse_number(text.data(), end, number) != end) return {};
  return number;
}

std::optional<std::int64_t> integer_of(std::string_view text) {
  const auto digits = text.substr(text.starts_with('-') ? 1 : 0);
  std::int64_t integer = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), integer);
  const bool is_integer = error == std::errc() && end == text.data() + text.size();
  if (is_integer && (digits.size() == 1 || digits.front() != '0')) return integer;  // 07 is no number
  constexpr double kLargest = 9007199254740992;  // 2^53: above, not every whole number is a double
  const auto number = number_of(text);
  if (!number || std::abs(*number) > kLargest || *number != std::floor(*number)) return {};
  return static_cast<std::int64_t>(*number);
}

std::optional<bool> flag_of(std::string_view text) {
  if (text == "true") return true;
  if (text == "false") return false;
  const auto integer = integer_of(text);
  if (!integer || (*integer != 0 && *integer != 1)) return {};
  return *integer == 1;
}

namespace {

// Calls use(number) for each; false: something else is in it, or `use` says so.
template <class Use>
bool each_number(std::string_view array, const Use& use) {
  if (array.size() < 2 || array.front() != '[' || array.back() != ']') return false;
  array = trimmed(array.substr(1, array.size() - 2));
  const char* at = array.data();
  const char* const end = at + array.size();
  const auto skip_spaces = [&] {
    while (at != end && kSpaces.find(*at) != std::string_view::npos) ++at;
  };
  while (at != end) {
    double number = 0;
    at = parse_number(at, end, number);
    if (!at || !use(number)) return false;
    skip_spaces();
    if (at == end) return true;
    if (*at++ != ',') return false;
    skip_spaces();
    if (at == end) return false;  // "[1,]"
  }
  return true;
}

}  // namespace

bool read_numbers(std::string_view array, std::vector<double>& numbers) {
  return each_number(array, [&](double number) {
    numbers.push_back(number);
    return true;
  });
}

bool read_numbers(std::string_view array, std::span<double> numbers) {
  std::size_t count = 0;
  const bool are_numbers = each_number(array, [&](double number) {
    if (count == numbers.size()) return false;
    numbers[count++] = number;
    return true;
  });
  return are_numbers && count == numbers.size();
}

std::string shortened(std::string_view text) {
  constexpr std::size_t kLongest = 40;
  return text.size() <= kLongest ? std::string(text) : std::string(text.substr(0, kLongest)) + "…";
}

std::string is_not(const char* key, std::string_view found, const std::string& expected) {
  if (found.empty()) return std::string("has no ").append(key);
  return std::string("has the ").append(key) + " " + shortened(found) + "; " + expected + " is expected";
}

std::string is_no_list(const std::string& name) {
  return (name.empty() ? "is no list" : "has \"" + name + "\" that is no list") + "; [{…}, {…}] is expected";
}

std::string read_string(const char* key, JsonValue value, std::string& text) {
  if (is_string(value)) {
    text = std::string_view(value.get_string());
    if (text.find('\0') == std::string::npos) return {};
    text.clear();
    return std::string("has a ").append(key) + " with a zero byte in it";
  }
  const auto found = raw(value);
  return found == "null" ? std::string() : is_not(key, found, "a text");
}

std::string read_stated_size(std::string_view width, std::string_view height, cv::Size& size) {
  if (width.empty() || height.empty() || width == "null" || height == "null") return {};
  constexpr std::int64_t kLongest = 1 << 30;
  const auto is_length = [](std::string_view text) {
    const auto number = integer_of(text);
    return number && *number >= 0 && *number <= kLongest;
  };
  if (!is_length(width)) return is_not("width", width, "a number of pixels");
  if (!is_length(height)) return is_not("height", height, "a number of pixels");
  size = {static_cast<int>(*integer_of(width)), static_cast<int>(*integer_of(height))};
  return {};
}

}  // namespace sectile
