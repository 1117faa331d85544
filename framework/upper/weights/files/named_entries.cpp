#include "named_entries.h"

#include <map>
#include <sstream>
#include <tuple>

#include <sectile/error.h>

namespace sectile {

NameBudget::NameBudget(const std::filesystem::path& file) : file_(file) {
  constexpr std::uint64_t kLeast = 16 << 20;
  const auto size = std::filesystem::file_size(file);
  looks_ = kLeast + size * 16, kept_ = kLeast + size / 4;
}

void NameBudget::spend(std::uint64_t& left, std::uint64_t bytes) const {
  if (bytes > left)
    throw DataError(file_, "has the same dictionaries in one another so many times that its names do not end");
  left -= bytes;
}

std::string Entry::name() const {
  if (const auto* text = key->as<std::string>()) return *text;
  if (const auto* number = key->as<std::int64_t>()) return std::to_string(*number);
  if (const auto* truth = key->as<bool>()) return *truth ? "True" : "False";
  std::ostringstream text;
  if (const auto* real = key->as<double>())
    text << *real;
  else
    text << "[" << at << "]";
  return text.str();
}

const char* Entry::why_not() const {
  if (key->as<std::string>()) return nullptr;
  return key->as<std::int64_t>() ? "its key is a number" : "its key is not a text";
}

std::vector<Entry> entries_of(const PythonDict& dict, NameBudget& budget) {
  std::vector<Entry> entries;
  std::map<std::tuple<bool, std::int64_t, std::string_view>, std::size_t> known;
  for (const auto& [key, item] : dict) {
    const auto* text = key.as<std::string>();
    const auto* number = key.as<std::int64_t>();
    const Entry entry{&key, entries.size(), &item};
    if (text) budget.look_at(text->size());
    if (!text && !number) {
      entries.push_back(entry);
      continue;
    }
    const auto [at, is_new] =
        known.try_emplace({!text, number ? *number : 0, text ? *text : std::string_view()}, entries.size());
    if (is_new)
      entries.push_back(entry);
    else
      entries[at->second].value = &item;
  }
  return entries;
}

}  // namespace sectile
