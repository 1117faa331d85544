#include "files.h"

#include <vector>

#include <sectile/error.h>

namespace coco_panoptic {
namespace {

namespace fs = std::filesystem;
using sectile::OptionError;

bool is_file(const fs::path& path) {
  std::error_code unknown;
  return fs::exists(path, unknown) && !fs::is_directory(path, unknown);
}
bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

// The first that is there; `named` is what an option names.
fs::path first_of(const std::vector<fs::path>& candidates, const std::optional<fs::path>& named, const char* option,
                  bool folder, const std::string& what) {
  const auto is_there = [&](const fs::path& path) { return folder ? is_folder(path) : is_file(path); };
  if (named) {
    if (is_there(*named)) return *named;
    throw OptionError(option, named->string() + (folder ? " is not a folder" : " is not a file"));
  }
  std::string all;
  for (const auto& path : candidates) {
    if (is_there(path)) return path.lexically_normal();
    all += (all.empty() ? "" : " nor ") + path.lexically_normal().string();
  }
  throw OptionError(option, "is missing, and there is " + std::string(candidates.size() > 1 ? "neither " : "no ") +
                                all + ", which should be " + what);
}

}  // namespace

Files find_files(const Request& request) {
  if (!request.root && (!request.annotations || !request.images))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"annotations\" and \"images\"");
  const auto root = request.root.value_or("");
  const auto name = "panoptic_" + request.split;
  Files files;
  std::vector<fs::path> candidates;
  if (request.root) candidates = {root / "annotations" / (name + ".json"), root / (name + ".json")};
  files.annotations = first_of(candidates, request.annotations, "annotations", false, "the JSON file of the split");
  candidates = {files.annotations.parent_path() / files.annotations.stem()};
  if (request.root) candidates.push_back(root / name);
  files.masks = first_of(candidates, request.masks, "masks", true, "the folder of the panoptic PNGs");
  candidates.clear();
  if (request.root) candidates = {root / "images" / request.split, root / request.split};
  files.images = first_of(candidates, request.images, "images", true, "the folder of the images");
  return files;
}

}  // namespace coco_panoptic
