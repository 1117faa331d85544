#include "files.h"

#include <vector>

#include <sectile/data/folders.h>
#include <sectile/error.h>

namespace coco_panoptic {

namespace fs = std::filesystem;
using sectile::PathKind;

Files find_files(const Request& request) {
  if (!request.root && (!request.annotations || !request.images))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"annotations\" and \"images\"");
  const auto root = request.root.value_or("");
  const auto name = "panoptic_" + request.split;
  Files files;
  std::vector<fs::path> candidates;
  if (request.root) candidates = {root / "annotations" / (name + ".json"), root / (name + ".json")};
  files.annotations = sectile::find_path(PathKind::file, "annotations", request.annotations, candidates,
                                         "the JSON file of the split; check \"root\" and \"split\"");
  candidates = {files.annotations.parent_path() / files.annotations.stem()};
  if (request.root) candidates.push_back(root / name);
  files.masks =
      sectile::find_path(PathKind::folder, "masks", request.masks, candidates, "the folder of the panoptic PNGs");
  candidates.clear();
  if (request.root) candidates = {root / "images" / request.split, root / request.split};
  files.images = sectile::find_path(PathKind::folder, "images", request.images, candidates, "the folder of the images");
  return files;
}

}  // namespace coco_panoptic
