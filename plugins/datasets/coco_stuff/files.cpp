#include "files.h"

#include <algorithm>

#include <sectile/data/folders.h>
#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace coco_stuff {
namespace {

namespace fs = std::filesystem;
using sectile::DataError;

// Empty: none.
fs::path mask_folder(const Request& request) {
  const std::vector<fs::path> candidates{request.root / "annotations" / request.split,
                                         request.root / "stuffthingmaps" / request.split};
  const bool has_none = request.split.starts_with("test") || request.split.starts_with("unlabeled");
  if (has_none && !request.masks && std::none_of(candidates.begin(), candidates.end(), sectile::is_folder)) return {};
  return sectile::find_path(sectile::PathKind::folder, "masks", request.masks, candidates,
                            "the folder of the pixel maps; check \"root\" and \"split\"");
}

}  // namespace

std::vector<Entry> find_entries(const Request& request) {
  if (request.root.empty() && (!request.images || !request.masks))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"images\" and \"masks\"");
  const auto images = sectile::find_path(sectile::PathKind::folder, "images", request.images,
                                         {request.root / "images" / request.split, request.root / request.split},
                                         "the folder of the images; check \"root\" and \"split\"");
  const auto masks = mask_folder(request);
  const bool in_one_folder = !masks.empty() && fs::weakly_canonical(masks) == fs::weakly_canonical(images);
  auto suffixes = sectile::image_suffixes();
  if (in_one_folder) std::erase(suffixes, ".png");  // which are the maps
  std::vector<Entry> entries;
  for (const auto& [name, path] : sectile::files_by_stem(images, suffixes)) entries.push_back({name, path, {}});
  if (entries.empty())
    throw DataError(images.string(), "has no image: no file has the suffix of a format that can be read");
  if (masks.empty()) return entries;

  const auto maps = sectile::files_by_stem(masks, {".png"});
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
