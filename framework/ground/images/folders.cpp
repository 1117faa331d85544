#include <sectile/data/folders.h>

#include <algorithm>

#include <sectile/error.h>

namespace sectile {

namespace fs = std::filesystem;

namespace {

template <class Fits>
std::vector<std::string> names_in(const fs::path& folder, const Fits& fits) {
  std::vector<std::string> names;
  if (!is_folder(folder)) return names;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem))
    if (auto name = entry->path().filename().string(); !name.starts_with('.') && fits(entry->path()))
      names.push_back(std::move(name));
  if (problem) throw DataError(folder.string(), "cannot be listed: " + problem.message());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

bool is_file(const fs::path& path) {
  std::error_code unknown;
  return fs::is_regular_file(path, unknown);
}

bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

std::string lower_suffix(const fs::path& file) {
  auto suffix = file.extension().string();
  for (char& c : suffix) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return suffix;
}

// Also a link to nowhere: whoever reads it says so, and no sample is silently missing.
std::vector<std::string> files_in(const fs::path& folder) {
  return names_in(folder, [](const fs::path& path) { return !is_folder(path); });
}
std::vector<std::string> folders_in(const fs::path& folder) { return names_in(folder, is_folder); }

std::map<std::string, fs::path> files_by_stem(const fs::path& folder, const std::vector<std::string>& suffixes) {
  std::map<std::string, fs::path> files;
  for (const fs::path name : files_in(folder)) {
    if (!std::count(suffixes.begin(), suffixes.end(), lower_suffix(name))) continue;
    const auto [earlier, is_new] = files.emplace(name.stem().string(), folder / name);
    if (!is_new)
      throw DataError(folder.string(), "has two files of one name, " + earlier->second.filename().string() + " and " +
                                           name.string() + ": remove one");
  }
  return files;
}

std::string joined(const std::vector<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

fs::path find_path(PathKind kind, const char* option, const std::optional<fs::path>& named,
                   const std::vector<fs::path>& candidates, const std::string& what) {
  const auto is_there = [&](const fs::path& path) { return kind == PathKind::file ? is_file(path) : is_folder(path); };
  if (named) {
    if (is_there(*named)) return *named;
    throw OptionError(option, named->string() + (kind == PathKind::file ? " is not a file" : " is not a folder"));
  }
  std::string all;
  for (const auto& path : candidates) {
    if (is_there(path)) return path.lexically_normal();
    all += (all.empty() ? "" : " nor ") + path.lexically_normal().string();
  }
  throw OptionError(option, std::string("is missing, and there is ") + (candidates.size() > 1 ? "neither " : "no ") +
                                all + ", which should be " + what);
}

}  // namespace sectile
