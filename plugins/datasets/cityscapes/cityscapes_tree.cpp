#include "cityscapes_tree.h"

#include <algorithm>
#include <map>
#include <set>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace cityscapes {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::OptionError;

constexpr const char* kImages = "leftImg8bit";

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

// Sorted; without hidden ones. A folder that is not there is empty.
std::set<std::string> names_in(const fs::path& folder, bool folders) {
  std::set<std::string> names;
  if (!is_folder(folder)) return names;
  try {
    for (const auto& entry : fs::directory_iterator(folder)) {
      const auto name = entry.path().filename().string();
      std::error_code broken_link;
      const bool fits = folders ? entry.is_directory(broken_link) : entry.is_regular_file(broken_link);
      if (fits && !name.starts_with('.')) names.insert(name);
    }
  } catch (const fs::filesystem_error& error) {
    throw DataError(folder.string(), "cannot be listed: " + error.code().message());
  }
  return names;
}

std::string listed(const std::set<std::string>& names) {
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  return all.empty() ? "none" : all;
}

fs::path find_root(const fs::path& root) {
  for (const char* below : {"", "cityscapes", "Cityscapes"})
    if (is_folder(root / below / kImages)) return (root / below).lexically_normal();
  throw OptionError("root",
                    root.string() + " has no folder " + kImages + "; name the folder that " + kImages + " is in");
}

// The files of a folder by their names, whose suffix may be of any case.
class Files {
 public:
  explicit Files(const fs::path& folder) {
    for (const auto& name : names_in(folder, false)) {
      const fs::path file(name);
      files_.emplace(file.stem().string() + lower(file.extension().string()), folder / file);
    }
  }
  // Empty: none.
  fs::path find(const std::string& name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? fs::path() : found->second;
  }

 private:
  std::map<std::string, fs::path> files_;
};

std::set<std::string> cities_of(const fs::path& folder, const Request& request) {
  const auto all = names_in(folder, true);
  if (request.cities.empty()) return all;
  for (std::size_t i = 0; i < request.cities.size(); ++i)
    if (!all.count(request.cities[i]))
      throw OptionError("cities/" + std::to_string(i), folder.string() + " has no folder \"" + request.cities[i] +
                                                           "\"; the cities there are: " + listed(all));
  return {request.cities.begin(), request.cities.end()};
}

void find_labels(Entry& entry, const Files& files, const Request& request) {
  const auto start = entry.name + "_" + request.annotations + "_";
  const auto use = [&](const char* kind, Encoding encoding) {
    if (!entry.labels.empty()) return;
    entry.labels = files.find(start + kind + ".png");
    entry.encoding = encoding;
  };
  use("labelIds", Encoding::label_ids);
  if (request.labels == Labels::train_ids) use("labelTrainIds", Encoding::train_ids);
  use("instanceIds", Encoding::instance_ids);
  if (request.objects) entry.objects = files.find(start + "instanceIds.png");
}

void add_city(std::vector<Entry>& entries, const fs::path& root, const std::string& city, const Request& request) {
  const auto folder = root / kImages / request.split / city;
  const Files files(root / request.annotations / request.split / city);
  const auto ending = std::string("_") + kImages;
  const auto& suffixes = sectile::image_suffixes();
  for (const auto& file : names_in(folder, false)) {
    const fs::path path(file);
    const auto stem = path.stem().string();
    if (!stem.ends_with(ending) || !std::count(suffixes.begin(), suffixes.end(), lower(path.extension().string())))
      continue;
    Entry entry;
    entry.name = stem.substr(0, stem.size() - ending.size());
    entry.image = folder / path;
    if (!entries.empty() && entries.back().name == entry.name)
      throw DataError(entry.image.string(),
                      "is an image of the same name as " + entries.back().image.string() + ": remove one");
    find_labels(entry, files, request);
    entries.push_back(std::move(entry));
  }
}

using File = fs::path Entry::*;
void demand(const std::vector<Entry>& entries, File file, const fs::path& folder, const char* what,
            const std::string& advice) {
  const auto lacks = [&](const Entry& entry) { return (entry.*file).empty(); };
  const auto missing = std::count_if(entries.begin(), entries.end(), lacks);
  if (missing == 0) return;
  const auto& first = *std::find_if(entries.begin(), entries.end(), lacks);
  throw DataError(folder.string(), std::string("has no ") + what + " for " + std::to_string(missing) + " of " +
                                       std::to_string(entries.size()) + " images; the first is " +
                                       first.image.string() + ". " + advice);
}

}  // namespace

std::vector<Entry> find_entries(const Request& request) {
  const auto root = find_root(request.root);
  const auto images = root / kImages / request.split, truth = root / request.annotations / request.split;
  if (!is_folder(images))
    throw OptionError(
        "split", images.string() + " is not a folder; the splits there are: " + listed(names_in(root / kImages, true)));
  std::vector<Entry> entries;
  for (const auto& city : cities_of(images, request)) add_city(entries, root, city, request);
  if (entries.empty())
    throw DataError(images.string(), std::string("has no image: expected CITY/*_") + kImages + ".png in it");

  const auto labelled = std::any_of(entries.begin(), entries.end(), [](const auto& e) { return !e.labels.empty(); });
  if (!labelled && request.split == "test") return entries;
  if (!labelled && !is_folder(truth))
    throw OptionError("annotations", truth.string() + " is not a folder; the splits that have annotations are: " +
                                         listed(names_in(root / "gtFine", true)) + " (fine), " +
                                         listed(names_in(root / "gtCoarse", true)) + " (coarse)");
  demand(entries, &Entry::labels, truth, "labels",
         std::string("Expected CITY/*_").append(request.annotations) + "_labelIds.png" +
             (request.labels == Labels::all ? "" : ", or _labelTrainIds.png") + ", or _instanceIds.png");
  if (request.objects)
    demand(entries, &Entry::objects, truth, "objects",
           std::string("Expected CITY/*_").append(request.annotations) +
               "_instanceIds.png; set \"instances\" to false to do without");
  return entries;
}

}  // namespace cityscapes
