// A large JSON file, read in one pass with simdjson (Langdale and Lemire 2019, arXiv:1902.08318).
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>
#include <opencv2/core/types.hpp>

namespace sectile {

using JsonValue = simdjson::ondemand::value;
using JsonObject = simdjson::ondemand::object;

// The file's text, to which values of it may stay views.
class JsonFile {
 public:
  // Throws DataError for a file that cannot be read, is empty, or is larger than 4 GB.
  explicit JsonFile(std::filesystem::path file);
  static std::size_t checked_size(const std::filesystem::path& file);  // in bytes; throws as above
  [[noreturn]] static void refuse_memory(const std::filesystem::path& file);

  // Calls read(document) once. What is not JSON, or of another type than `read` asks for, becomes a DataError with its
  // line and column.
  template <class Read>
  void parse(const Read& read) const {
    simdjson::ondemand::parser parser;
    simdjson::ondemand::document document;
    bool opened = false;  // before, the document has no location
    try {
      document = parser.iterate(text_);
      opened = true;
      read(document);
      if (!document.current_location().error()) fail_at(document.current_location(), "has text after its end");
    } catch (const std::bad_alloc&) {
      refuse_memory(file_);
    } catch (const simdjson::simdjson_error& error) {
      if (error.error() == simdjson::MEMALLOC) refuse_memory(file_);
      const char* at = nullptr;
      if (!opened || document.current_location().get(at)) at = nullptr;
      fail_at(at, why(error));
    }
  }
  [[noreturn]] void fail_at(const char* at, const std::string& message) const;  // at: in the text, or null
  const std::filesystem::path& file() const { return file_; }

 private:
  static std::string why(const simdjson::simdjson_error& error);
  std::filesystem::path file_;
  simdjson::padded_string text_;
};

// The name of a field, without escapes. `buffer` keeps it if it has some.
std::string_view key_of(simdjson::ondemand::raw_json_string key, std::string& buffer);

// A string without its quotes and escapes: a view of `text`, or of `buffer`. Characters above ASCII that are written as
// escapes become "?": no name that is looked for has any.
std::string_view without_escapes(std::string_view text, std::string& buffer);

// NaN, as Python writes it, is of no type.
bool is(JsonValue value, simdjson::ondemand::json_type type);
inline bool is_object(JsonValue value) { return is(value, simdjson::ondemand::json_type::object); }
inline bool is_array(JsonValue value) { return is(value, simdjson::ondemand::json_type::array); }
inline bool is_string(JsonValue value) { return is(value, simdjson::ondemand::json_type::string); }

// Throws DataError for a file of something else.
JsonObject root_object(const std::filesystem::path& file, simdjson::ondemand::document& document);

// The text of any value, without the spaces around it.
std::string_view raw(JsonValue value);

std::string_view trimmed(std::string_view text);
// Of their text; none: it is something else, or not finite.
std::optional<double> number_of(std::string_view text);
std::optional<std::int64_t> integer_of(std::string_view text);  // 3 or 3.0
std::optional<bool> flag_of(std::string_view text);             // 0, 1, false, true
// [1, 2.5], appended to `numbers`, or as many as there is room for. False: something else is in it, or another number.
bool read_numbers(std::string_view array, std::vector<double>& numbers);
bool read_numbers(std::string_view array, std::span<double> numbers);

// For messages.
std::string shortened(std::string_view text);
// "has the width "60"; a number of pixels is expected", or "has no width" where nothing was found.
std::string is_not(const char* key, std::string_view found, const std::string& expected);

// `name`: of a list of the file, or "" for the file itself.
std::string is_no_list(const std::string& name);
constexpr const char* kIsNoObject = "is no object; {\"id\": …} is expected";

// What is wrong with a text, or nothing: null is no text.
std::string read_string(const char* key, JsonValue value, std::string& text);
// What is wrong with the size of an image, or nothing. One that is not stated in full, or is null or 0, is empty.
std::string read_stated_size(std::string_view width, std::string_view height, cv::Size& size);

}  // namespace sectile
