#include "files.h"

#include <vector>

#include <sectile/data/folders.h>
#include <sectile/error.h>

namespace coco_instances {

namespace fs = std::filesystem;

Files find_files(const Request& request) {
  if (!request.root && (!request.annotations || !request.images))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"annotations\" and \"images\"");
  const auto root = request.root.value_or("");
  std::vector<fs::path> annotations, images;
  std::string others;  // files that the split may be named after
  if (request.root) {
    const auto folder = root / "annotations";
    annotations = {folder / ("instances_" + request.split + ".json"), root / request.split / "_annotations.coco.json"};
    images = {root / "images" / request.split, root / request.split};
    if (!request.annotations && sectile::is_folder(folder))
      others = ". The files in " + folder.string() + " are: " + sectile::joined(sectile::files_in(folder));
  }
  return {sectile::find_path(sectile::PathKind::file, "annotations", request.annotations, annotations,
                             "the JSON file of the split; check \"root\" and \"split\"" + others),
          sectile::find_path(sectile::PathKind::folder, "images", request.images, images, "the folder of the images")};
}

}  // namespace coco_instances
