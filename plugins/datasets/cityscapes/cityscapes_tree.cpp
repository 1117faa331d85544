#include "cityscapes_tree.h"

#include <algorithm>
#include <map>
#include <set>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace cityscapes {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::files_in;
using sectile::folders_in;
using sectile::is_folder;
using sectile::joined;
using sectile::OptionError;

constexpr const char* kImages = "leftImg8bit";

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
    for (const fs::path file : files_in(folder))
      files_.emplace(file.stem().string() + sectile::lower_suffix(file), folder / file);
  }
  // Empty: none.
  fs::path find(const std::string& name) const {
    const auto found = files_.find(name);
    return found == files_.end() ? fs::path() : found->second;
  }

 private:
  std::map<std::string, fs::path> files_;
};

std::vector<std::string> cities_of(const fs::path& folder, const Request& request) {
  const auto all = folders_in(folder);
  if (request.cities.empty()) return all;
  for (std::size_t i = 0; i < request.cities.size(); ++i)
    if (!std::count(all.begin(), all.end(), request.cities[i]))
      throw OptionError("cities/" + std::to_string(i), folder.string() + " has no folder \"" + request.cities[i] +
                                                           "\"; the cities there are: " + joined(all));
  const std::set<std::string> cities(request.cities.begin(), request.cities.end());
  return {cities.begin(), cities.end()};
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
  for (const fs::path path : files_in(folder)) {
    const auto stem = path.stem().string();
    if (!stem.ends_with(ending) || !std::count(suffixes.begin(), suffixes.end(), sectile::lower_suffix(path))) continue;
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
        "split", images.string() + " is not a folder; the splits there are: " + joined(folders_in(root / kImages)));
  std::vector<Entry> entries;
  for (const auto& city : cities_of(images, request)) add_city(entries, root, city, request);
  if (entries.empty())
    throw DataError(images.string(), std::string("has no image: expected CITY/*_") + kImages + ".png in it");

  const auto labelled = std::any_of(entries.begin(), entries.end(), [](const auto& e) { return !e.labels.empty(); });
  if (!labelled && request.split == "test") return entries;
  if (!labelled && !is_folder(truth))
    throw OptionError("annotations", truth.string() + " is not a folder; the splits that have annotations are: " +
                                         joined(folders_in(root / "gtFine")) + " (fine), " +
                                         joined(folders_in(root / "gtCoarse")) + " (coarse)");
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
