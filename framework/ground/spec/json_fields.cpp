#include "json_fields.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <fstream>
#include <limits>
#include <utility>

#include "../named_pipe.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

std::string contents(const fs::path& file) {
  std::error_code unknown;
  if (fs::is_directory(file, unknown)) throw DataError(file.string(), "is a folder; expected a file");
  if (is_named_pipe(file)) throw DataError(file.string(), "is a named pipe; expected a file");
  std::ifstream in(file, std::ios::binary);
  if (!in) throw DataError(file.string(), std::string("cannot be read: ") + std::strerror(errno));
  std::string text;
  std::array<char, 1 << 16> part;
  while (text.size() <= kLongestJson && (in.read(part.data(), part.size()), in.gcount() > 0))
    text.append(part.data(), static_cast<std::size_t>(in.gcount()));
  if (text.empty()) throw DataError(file.string(), "is empty; expected a JSON object");
  return text;  // parse_json refuses a longer one
}

// Short lists of numbers are told whole.
std::string shown(const Json& json) {
  constexpr std::size_t kShort = 8;
  const auto is_number = [](const Json& item) { return item.is_number(); };
  const bool plain = json.is_array() && json.size() <= kShort && std::all_of(json.begin(), json.end(), is_number);
  return plain ? json.dump() : quoted(json);
}

}  // namespace

JsonFields::JsonFields(fs::path file, Json json, std::string pointer)
    : file_(std::move(file)), json_(std::move(json)), pointer_(std::move(pointer)) {
  if (!json_.is_object()) fail("", "expected an object, found " + quoted(json_));
}

JsonFields JsonFields::of_file(const fs::path& file) {
  const auto text = contents(file);
  std::vector<Problem> problems;
  Json json;
  try {
    json = parse_json(text, "", problems);
  } catch (const SpecError& error) {  // ":3:7: is not valid JSON", or ": has more than 200000 values"
    const auto& what = error.problems().front().message;
    const auto end = std::min(what.find(": "), what.size());
    throw DataError(file.string() + what.substr(0, end), what.substr(std::min(end + 2, what.size())));
  }
  if (!problems.empty()) throw DataError(file.string(), problems.front().pointer + ": " + problems.front().message);
  return {file, std::move(json)};
}

JsonFields JsonFields::object(const std::string& key) const {
  return {file_, json_[key], pointer_ + "/" + escape(key)};
}

bool JsonFields::truth(const std::string& key, bool otherwise) const {
  if (!has(key)) return otherwise;
  if (!json_[key].is_boolean()) refuse(key, "true or false");
  return json_[key].get<bool>();
}

std::string JsonFields::text(const std::string& key, const std::string& otherwise) const {
  if (!has(key)) return otherwise;
  if (!json_[key].is_string()) refuse(key, "a text");
  return json_[key].get<std::string>();
}

int JsonFields::whole(const std::string& key, int otherwise, int least, int most) const {
  if (!has(key)) return otherwise;
  const auto found = whole_of(json_[key]);
  if (!found || *found < least || *found > most)
    refuse(key, "a whole number from " + std::to_string(least) + " to " + std::to_string(most));
  return *found;
}

double JsonFields::number(const std::string& key, double otherwise, double least, double most) const {
  if (!has(key)) return otherwise;
  const auto& json = json_[key];
  if (!json.is_number() || !(json.get<double>() >= least && json.get<double>() <= most))
    refuse(key, "a number from " + Json(least).dump() + " to " + Json(most).dump());
  return json.get<double>();
}

std::vector<int> JsonFields::wholes(const std::string& key, const std::vector<int>& otherwise) const {
  if (!has(key)) return otherwise;
  if (!json_[key].is_array()) refuse(key, "a list of whole numbers");
  std::vector<int> all;
  for (const auto& item : json_[key]) {
    const auto found = whole_of(item);
    if (!found) refuse(key, "a list of whole numbers");
    all.push_back(*found);
  }
  return all;
}

std::vector<double> JsonFields::numbers(const std::string& key, const std::vector<double>& otherwise, double least,
                                        double most) const {
  if (!has(key)) return otherwise;
  if (!json_[key].is_array()) return {number(key, 0, least, most)};
  std::vector<double> all;
  for (const auto& item : json_[key]) {
    if (!item.is_number() || !(item.get<double>() >= least && item.get<double>() <= most))
      refuse(key, "a list of numbers from " + Json(least).dump() + " to " + Json(most).dump());
    all.push_back(item.get<double>());
  }
  return all;
}

std::optional<int> JsonFields::whole_of(const Json& json) {
  if (!json.is_number()) return std::nullopt;
  const auto value = json.get<double>();
  if (value != std::floor(value) || std::abs(value) > std::numeric_limits<int>::max()) return std::nullopt;
  return static_cast<int>(value);
}

void JsonFields::fail(const std::string& key, const std::string& problem) const {
  const auto place = pointer_ + (key.empty() ? "" : "/" + escape(key));
  throw DataError(file_.string(), place.empty() ? problem : place + ": " + problem);
}

void JsonFields::refuse(const std::string& key, const std::string& expected) const {
  fail(key, "is " + shown(json_[key]) + "; expected " + expected);
}

}  // namespace sectile
