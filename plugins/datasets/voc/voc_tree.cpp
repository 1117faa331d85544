#include "voc_tree.h"

#include <algorithm>
#include <map>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/data/list_file.h>
#include <sectile/error.h>

namespace voc {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::is_file;
using sectile::OptionError;

constexpr const char* kLists = "ImageSets/Segmentation";
constexpr const char* kImages = "JPEGImages";

fs::path find_root(const fs::path& root) {
  for (const char* below : {"", "VOC2012", "VOCdevkit/VOC2012"})
    if (sectile::is_folder(root / below / kLists)) return (root / below).lexically_normal();
  throw OptionError("root", root.string() + " has no folder " + kLists +
                                ", nor do VOC2012 or VOCdevkit/VOC2012 in it; name the folder that JPEGImages and "
                                "ImageSets are in");
}

fs::path find_list(const fs::path& folder, const std::string& split) {
  const auto file = folder / (split + ".txt");
  if (is_file(file)) return file;
  std::vector<std::string> known;
  for (const fs::path name : sectile::files_in(folder))
    if (name.extension() == ".txt") known.push_back(name.stem().string());
  throw OptionError("split", file.string() + " is not there; the lists there are: " + sectile::joined(known));
}

std::string upper(std::string text) {
  for (char& c : text) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
  return text;
}

// "/JPEGImages/a.jpg" in a list is meant to be below the root.
fs::path below(const fs::path& root, const std::string& word) { return root / fs::path(word).relative_path(); }

fs::path find_image(const fs::path& root, const std::string& word, const std::string& place) {
  if (word.find('/') != std::string::npos) {
    if (is_file(below(root, word))) return below(root, word);
    throw DataError(place, "names the image " + below(root, word).string() + ", which is not there");
  }
  const auto official = root / kImages / (word + ".jpg");
  if (is_file(official)) return official;
  for (const auto& suffix : sectile::image_suffixes())
    for (const auto& ending : {suffix, upper(suffix)})
      if (const auto file = root / kImages / (word + ending); is_file(file)) return file;
  throw DataError(place,
                  "names \"" + word + "\", and there is no image " + official.string() + ", nor one of another suffix");
}

Entry entry_of(const fs::path& root, const sectile::ListLine& line, const std::string& place, const Request& request) {
  const auto& words = line.words;
  if (words.size() > 2)
    throw DataError(place, "has " + std::to_string(words.size()) + " words; expected a name, or an image and a mask");
  if (words.size() == 2 && request.labels)
    throw OptionError("labels", "cannot be combined with a list that names masks, " + place + ": remove it");
  Entry entry;
  entry.image = find_image(root, words[0], place);
  entry.name = entry.image.stem().string();
  entry.labels = words.size() == 2 ? below(root, words[1])
                                   : root / request.labels.value_or("SegmentationClass") / (entry.name + ".png");
  if (request.objects) entry.objects = root / "SegmentationObject" / (entry.name + ".png");
  return entry;
}

using File = fs::path Entry::*;
std::size_t count_missing(const std::vector<Entry>& entries, File file) {
  return static_cast<std::size_t>(
      std::count_if(entries.begin(), entries.end(), [&](const Entry& entry) { return !is_file(entry.*file); }));
}

void demand(const std::vector<Entry>& entries, File file, const fs::path& list, const std::string& advice) {
  const auto missing = count_missing(entries, file);
  if (missing == 0) return;
  const auto first = std::find_if(entries.begin(), entries.end(), [&](const Entry& e) { return !is_file(e.*file); });
  throw DataError(list.string(), std::to_string(missing) + " of its " + std::to_string(entries.size()) +
                                     " images have no mask; the first is " + ((*first).*file).string() + ". " + advice);
}

}  // namespace

std::vector<Entry> find_entries(const Request& request) {
  const auto root = find_root(request.root);
  const auto list = find_list(root / kLists, request.split);
  std::vector<Entry> entries;
  std::map<std::string, int> lines;
  for (const auto& line : sectile::read_list(list)) {
    const auto place = sectile::list_place(list, line);
    entries.push_back(entry_of(root, line, place, request));
    const auto [earlier, is_new] = lines.emplace(entries.back().name, line.number);
    if (!is_new)
      throw DataError(place, "names \"" + earlier->first + "\", as line " + std::to_string(earlier->second) + " does");
  }
  if (request.split == "test" && count_missing(entries, &Entry::labels) == entries.size()) {
    for (auto& entry : entries) entry.labels.clear(), entry.objects.clear();
    return entries;
  }
  demand(entries, &Entry::labels, list, "See \"labels\", the folder of the masks");
  if (request.objects)
    demand(entries, &Entry::objects, list,
           "Masks of objects are in SegmentationObject; set \"instances\" to false to do without");
  return entries;
}

}  // namespace voc
