// Where the parts of a dataset of COCO's panoptic format are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace coco_panoptic {

struct Request {
  std::optional<std::filesystem::path> root;
  std::string split;
  std::optional<std::filesystem::path> annotations, masks, images;  // instead of those of the split
};

struct Files {
  std::filesystem::path annotations;    // the JSON file
  std::filesystem::path masks, images;  // folders
};

// Throws OptionError for what is not there.
Files find_files(const Request& request);

}  // namespace coco_panoptic
