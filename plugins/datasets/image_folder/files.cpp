#include "files.h"

#include <algorithm>
#include <map>
#include <set>
#include <string_view>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace image_folder {

namespace fs = std::filesystem;
using sectile::DataError;

namespace {

// In any case.
bool same(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [&](char x, char y) { return lower(x) == lower(y); });
}

constexpr int kMostWays = 100;  // to one folder, through links

struct Walk {
  fs::path except;
  std::vector<fs::path> above;   // the real folders on the way, to none of which a link may lead back
  std::map<fs::path, int> ways;  // that led to each real folder
  std::vector<std::string> names;
};

void add_files(const fs::path& folder, const std::string& below, Walk& walk) {
  const auto real = fs::canonical(folder);
  if (std::count(walk.above.begin(), walk.above.end(), real)) return;
  if (++walk.ways[real] > kMostWays)
    throw DataError(folder.string(), "is found through links in more than " + std::to_string(kMostWays) +
                                         " ways: remove links between the folders");
  walk.above.push_back(real);
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    std::error_code unknown;
    if (name.starts_with('.') || entry.path() == walk.except) continue;
    if (entry.is_directory(unknown))
      add_files(entry.path(), below + name + "/", walk);
    else  // a link to nowhere too: whoever reads it says so, and the sample is not silently missing
      walk.names.push_back(below + name);
  }
  walk.above.pop_back();
}

std::string folders_in(const fs::path& folder) {
  std::set<std::string> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(folder, error))
    if (entry.is_directory(error)) found.insert(entry.path().filename().string());
  std::string all;
  for (const auto& name : found) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "no folder" : all;
}

}  // namespace

std::string image_suffix(const std::string& name) {
  const auto& known = sectile::image_suffixes();
  const auto suffix = fs::path(name).extension().string();
  return std::any_of(known.begin(), known.end(), [&](const auto& one) { return same(suffix, one); }) ? suffix : "";
}

bool ends_with(const std::string& name, const std::string& suffix) {
  return name.size() >= suffix.size() && same(std::string_view(name).substr(name.size() - suffix.size()), suffix);
}

bool is_jpeg(const fs::path& file) {
  const auto suffixes = {".jpg", ".jpeg", ".jpe", ".jfif"};
  return std::any_of(suffixes.begin(), suffixes.end(), [&](const char* one) { return ends_with(file.string(), one); });
}

std::string counted_suffixes(const std::vector<std::string>& names) {
  std::map<std::string, int> counts;
  for (const auto& name : names) ++counts[fs::path(name).extension().string()];
  std::string all;
  for (const auto& [suffix, count] : counts)
    all += (all.empty() ? "" : ", ") + std::to_string(count) + " of \"" + suffix + "\"";
  return all;
}

bool is_file(const fs::path& path) {
  std::error_code error;
  return fs::is_regular_file(path, error);
}

bool natural_less(const std::string& a, const std::string& b) {
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto number = [&](const std::string& text, std::size_t& at) {
    while (at < text.size() && text[at] == '0') ++at;
    const std::size_t begin = at;
    while (at < text.size() && digit(text[at])) ++at;
    return std::string_view(text).substr(begin, at - begin);
  };
  std::size_t i = 0, j = 0;
  while (i < a.size() && j < b.size()) {
    if (digit(a[i]) && digit(b[j])) {
      const auto x = number(a, i), y = number(b, j);
      if (x.size() != y.size()) return x.size() < y.size();
      if (x != y) return x < y;
    } else if (a[i] != b[j]) {
      return a[i] < b[j];
    } else {
      ++i, ++j;
    }
  }
  return std::pair(a.size() - i, a) < std::pair(b.size() - j, b);
}

void check_folder(const fs::path& folder, const char* option) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return;
  std::string reason = folder.string() + " is not a folder";
  const auto parent = (folder / "").parent_path().parent_path();  // with or without a slash at the end
  if (fs::is_directory(parent, error)) reason += "; in " + parent.string() + " there is: " + folders_in(parent);
  throw sectile::OptionError(option, reason);
}

std::vector<std::string> files_below(const fs::path& folder, const fs::path& except) {
  Walk walk{.except = except, .above = {}, .ways = {}, .names = {}};
  try {
    add_files(folder, "", walk);
  } catch (const fs::filesystem_error& error) {
    throw DataError(error.path1().empty() ? folder.string() : error.path1().string(),
                    "cannot be listed: " + error.code().message());
  }
  return std::move(walk.names);
}

fs::path Stems::find(const std::string& stem) const {
  const auto found = suffixes_.find(stem);
  if (found == suffixes_.end()) return {};
  const auto& suffixes = found->second;
  if (suffixes.size() > 1)
    throw DataError(folder_.string(), "has two files with the same name, " + stem + std::min(suffixes[0], suffixes[1]) +
                                          " and " + stem + std::max(suffixes[0], suffixes[1]) +
                                          ": remove one, or select one with \"image_suffix\" or \"mask_suffix\"");
  return folder_ / (stem + suffixes[0]);
}

}  // namespace image_folder
