#include "files.h"

#include <algorithm>
#include <vector>

#include <sectile/error.h>

namespace coco_instances {
namespace {

namespace fs = std::filesystem;
using sectile::OptionError;

constexpr const char* kRoboflow = "_annotations.coco.json";  // beside the images

bool is_file(const fs::path& path) {
  std::error_code unknown;
  return fs::exists(path, unknown) && !fs::is_directory(path, unknown);
}
bool is_folder(const fs::path& path) {
  std::error_code unknown;
  return fs::is_directory(path, unknown);
}

fs::path find_annotations(const Request& request) {
  if (request.annotations) {
    if (is_file(*request.annotations)) return *request.annotations;
    throw OptionError("annotations", request.annotations->string() + " is not a file");
  }
  const auto folder = *request.root / "annotations";
  const auto usual = folder / ("instances_" + request.split + ".json");
  const auto beside = *request.root / request.split / kRoboflow;
  for (const auto& file : {usual, beside})
    if (is_file(file)) return file.lexically_normal();
  std::vector<std::string> names;
  std::error_code unknown;
  for (fs::directory_iterator entry(folder, unknown), end; !unknown && entry != end; entry.increment(unknown))
    if (entry->path().extension() == ".json") names.push_back(entry->path().filename().string());
  std::sort(names.begin(), names.end());
  std::string all;
  for (const auto& name : names) all += (all.empty() ? "" : ", ") + name;
  throw OptionError("split", "there is neither " + usual.string() + " nor " + beside.string() +
                                 "; name the file with \"annotations\"" +
                                 (all.empty() ? "" : ". The files in " + folder.string() + " are: " + all));
}

fs::path find_images(const Request& request) {
  if (request.images) {
    if (is_folder(*request.images)) return *request.images;
    throw OptionError("images", request.images->string() + " is not a folder");
  }
  const auto usual = *request.root / "images" / request.split, other = *request.root / request.split;
  for (const auto& folder : {usual, other})
    if (is_folder(folder)) return folder.lexically_normal();
  throw OptionError("images", "is missing, and there is neither " + usual.string() + " nor " + other.string());
}

}  // namespace

Files find_files(const Request& request) {
  if (!request.root && (!request.annotations || !request.images))
    throw sectile::OptionError("root", "is missing: give \"root\", or both \"annotations\" and \"images\"");
  return {find_annotations(request), find_images(request)};
}

}  // namespace coco_instances
