// The members of one object of a JSON file that another program wrote, checked one by one.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "json_text.h"

namespace sectile {

// A member that is missing or null, as Python's None is written, has its default. Whatever else is wrong throws a
// DataError with the file and the pointer of the place in it.
class JsonFields {
 public:
  JsonFields(std::filesystem::path file, Json json, std::string pointer = "");
  static JsonFields of_file(const std::filesystem::path& file);

  bool has(const std::string& key) const { return json_.contains(key) && !json_[key].is_null(); }
  const Json& operator[](const std::string& key) const { return json_[key]; }  // which it must have
  const Json& json() const { return json_; }
  const std::filesystem::path& file() const { return file_; }

  JsonFields object(const std::string& key) const;
  bool truth(const std::string& key, bool otherwise) const;
  std::string text(const std::string& key, const std::string& otherwise) const;
  int whole(const std::string& key, int otherwise, int least, int most) const;
  double number(const std::string& key, double otherwise, double least, double most) const;
  std::vector<int> wholes(const std::string& key, const std::vector<int>& otherwise) const;
  // A list of numbers, or one number, which is a list of one.
  std::vector<double> numbers(const std::string& key, const std::vector<double>& otherwise, double least,
                              double most) const;

  // The whole number that a value is, also if it is written as 4.0.
  static std::optional<int> whole_of(const Json& json);

  [[noreturn]] void fail(const std::string& key, const std::string& problem) const;
  // "is …; expected …", for a member that it has.
  [[noreturn]] void refuse(const std::string& key, const std::string& expected) const;

 private:
  std::filesystem::path file_;
  Json json_;
  std::string pointer_;
};

}  // namespace sectile
