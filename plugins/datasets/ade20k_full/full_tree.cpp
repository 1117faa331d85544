#include "full_tree.h"

#include <algorithm>
#include <map>
#include <set>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace ade20k_full {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::is_folder;

constexpr const char* kSplits[] = {"training", "validation"};

// Names below a folder, by their lower-case suffix: "a/b.jpg" → {".jpg": {"a/b": file}}.
using Files = std::map<std::string, std::map<std::string, fs::path>>;

Files files_below(const fs::path& folder) {
  Files files;
  try {
    for (auto it = fs::recursive_directory_iterator(folder); it != fs::recursive_directory_iterator(); ++it) {
      const auto& path = it->path();
      std::error_code broken_link;
      if (path.filename().string().starts_with('.')) {
        if (it->is_directory(broken_link)) it.disable_recursion_pending();
      } else if (it->is_regular_file(broken_link)) {
        const auto name = path.lexically_relative(folder).replace_extension().generic_string();
        files[sectile::lower_suffix(path)].emplace(name, path);
      }
    }
  } catch (const fs::filesystem_error& error) {
    throw DataError(error.path1().empty() ? folder.string() : error.path1().string(),
                    "cannot be listed: " + error.code().message());
  }
  return files;
}

fs::path find(const Files& files, const std::string& suffix, const std::string& name) {
  const auto all = files.find(suffix);
  if (all == files.end()) return {};
  const auto found = all->second.find(name);
  return found == all->second.end() ? fs::path() : found->second;
}

fs::path image_of(const Files& files, const std::string& name) {
  fs::path image;
  for (const auto& suffix : sectile::image_suffixes()) {
    const auto found = find(files, suffix, name);
    if (found.empty()) continue;
    if (!image.empty()) throw DataError(found.string(), "has the same name as " + image.string() + ": remove one");
    image = found;
  }
  return image;
}

}  // namespace

fs::path find_root(const fs::path& root) {
  for (const char* below : {"", "images", "images/ADE", "ADE20K_2016_07_26/images", "ADE20K_2021_17_01/images/ADE"})
    for (const char* split : kSplits)
      if (is_folder(root / below / split)) {
        const auto found = (root / below).lexically_normal();
        if (is_folder(found / "../annotations"))
          throw sectile::OptionError("root", root.string() +
                                                 " is SceneParse150, with masks in a folder annotations: "
                                                 "use the dataset ade20k");
        return found;
      }
  throw sectile::OptionError("root", root.string() +
                                         " has no folder training or validation, nor have images and "
                                         "images/ADE in it; name the folder that these are in");
}

std::vector<Entry> find_entries(const fs::path& folder, std::vector<fs::path>& left_out) {
  const std::string ending = "_seg";
  const auto files = files_below(folder);
  std::vector<Entry> entries;
  std::set<std::string> with_mask;
  if (const auto masks = files.find(".png"); masks != files.end())
    for (const auto& [stem, mask] : masks->second) {
      if (!stem.ends_with(ending)) continue;
      Entry entry;
      entry.name = stem.substr(0, stem.size() - ending.size());
      entry.image = image_of(files, entry.name);
      if (entry.image.empty())
        throw DataError(mask.string(), "has no image: expected " + entry.name + ".jpg in " + folder.string());
      entry.mask = mask;
      entry.names = find(files, ".json", entry.name);
      if (entry.names.empty()) entry.names = find(files, ".txt", entry.name + "_atr");
      with_mask.insert(entry.name);
      entries.push_back(std::move(entry));
    }
  for (const char* suffix : {".jpg", ".jpeg"})
    if (const auto images = files.find(suffix); images != files.end())
      for (const auto& [name, image] : images->second)
        if (!with_mask.count(name)) left_out.push_back(image);
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.name < b.name; });
  return entries;
}

}  // namespace ade20k_full
