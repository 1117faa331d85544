#include "files.h"

#include <algorithm>
#include <map>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace coco_stuff {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::OptionError;

bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

std::string lower(std::string text) {
  for (char& c : text) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return text;
}

// The split's folder in the first of these that has one. Empty: none.
fs::path find_folder(const Request& request, std::initializer_list<const char*> parents) {
  for (const char* parent : parents)
    if (const auto folder = request.root / parent / request.split; is_folder(folder)) return folder;
  return {};
}

fs::path image_folder(const Request& request) {
  if (request.images) {
    if (is_folder(*request.images)) return *request.images;
    throw OptionError("images", request.images->string() + " is not a folder");
  }
  const auto found = find_folder(request, {"images", "."});
  if (!found.empty()) return found.lexically_normal();
  throw OptionError("split", "there is neither " + (request.root / "images" / request.split).string() + " nor " +
                                 (request.root / request.split).string() +
                                 ", which should hold the images; check \"root\" and \"split\", or name the folder "
                                 "with \"images\"");
}

fs::path mask_folder(const Request& request) {
  if (request.masks) {
    if (is_folder(*request.masks)) return *request.masks;
    throw OptionError("masks", request.masks->string() + " is not a folder");
  }
  const auto found = find_folder(request, {"annotations", "stuffthingmaps"});
  const bool has_none = request.split.starts_with("test") || request.split.starts_with("unlabeled");
  if (found.empty() && !has_none)
    throw OptionError("split", "there is neither " + (request.root / "annotations" / request.split).string() + " nor " +
                                   (request.root / "stuffthingmaps" / request.split).string() +
                                   ", which should hold the pixel maps; name the folder with \"masks\"");
  return found;
}

// Files by their names without suffix. Throws DataError for two of one name.
std::map<std::string, fs::path> files_in(const fs::path& folder, const std::vector<std::string>& suffixes) {
  std::map<std::string, fs::path> files;
  std::error_code problem;
  for (fs::directory_iterator entry(folder, problem), end; !problem && entry != end; entry.increment(problem)) {
    const auto& path = entry->path();
    std::error_code unknown;
    if (path.filename().string().starts_with('.') || !entry->is_regular_file(unknown)) continue;
    if (!std::count(suffixes.begin(), suffixes.end(), lower(path.extension().string()))) continue;
    const auto [found, is_new] = files.emplace(path.stem().string(), path);
    if (!is_new)
      throw DataError(folder.string(), "has two files of one name, " +
                                           std::min(found->second, path).filename().string() + " and " +
                                           std::max(found->second, path).filename().string() + ": remove one");
  }
  if (problem) throw DataError(folder.string(), "cannot be listed: " + problem.message());
  return files;
}

}  // namespace

std::vector<Entry> find_entries(const Request& request) {
  if (request.root.empty() && (!request.images || !request.masks))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"images\" and \"masks\"");
  const auto images = image_folder(request), masks = mask_folder(request);
  const bool in_one_folder = !masks.empty() && fs::weakly_canonical(masks) == fs::weakly_canonical(images);
  auto suffixes = sectile::image_suffixes();
  if (in_one_folder) std::erase(suffixes, ".png");  // which are the maps
  std::vector<Entry> entries;
  for (const auto& [name, path] : files_in(images, suffixes)) entries.push_back({name, path, {}});
  if (entries.empty())
    throw DataError(images.string(), "has no image: no file has the suffix of a format that can be read");
  if (masks.empty()) return entries;

  const auto maps = files_in(masks, {".png"});
  std::size_t missing = 0;
  const Entry* first = nullptr;
  for (auto& entry : entries) {
    if (const auto found = maps.find(entry.name); found != maps.end())
      entry.mask = found->second;
    else if (++missing == 1)
      first = &entry;
  }
  if (missing > 0)
    throw DataError(masks.string(), "lacks the pixel maps of " + std::to_string(missing) + " of " +
                                        std::to_string(entries.size()) + " images; the first is " + first->name +
                                        ".png, of " + first->image.string());
  return entries;
}

}  // namespace coco_stuff
