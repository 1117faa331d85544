// The entries of dictionaries in a file, with the names that their tensors get.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "torch/python_value.h"

namespace sectile {

// Dictionaries may be shared: with few bytes, a file may have any number of paths to the same tensor. This limits the
// names that are looked at, and the memory of those that are kept, by its size.
class NameBudget {
 public:
  explicit NameBudget(const std::filesystem::path& file);

  void look_at(std::size_t bytes) { spend(looks_, bytes); }
  void look_at(std::string_view name) { look_at(kEntry + name.size()); }
  void keep(std::string_view name) {
    look_at(name);
    spend(kept_, kEntry + name.size());
  }

 private:
  static constexpr std::uint64_t kEntry = 128;  // bytes of a map

  void spend(std::uint64_t& left, std::uint64_t bytes) const;

  std::filesystem::path file_;
  std::uint64_t looks_, kept_;
};

struct Entry {
  const PythonValue* key;
  std::size_t at;  // in its dictionary
  const PythonValue* value;

  std::string name() const;     // the key; "[2]" for the third one, if it is not a plain value
  const char* why_not() const;  // null, or why no network has such a name
};

// Of a text or whole number that is given twice, the last value counts, as in Python.
std::vector<Entry> entries_of(const PythonDict& dict, NameBudget& budget);

}  // namespace sectile
