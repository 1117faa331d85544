// Where the annotations and images of a split are.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

namespace coco_instances {

struct Request {
  std::optional<std::filesystem::path> root;
  std::string split;
  std::optional<std::filesystem::path> annotations, images;  // instead of those of the split
};

struct Files {
  std::filesystem::path annotations;  // the JSON file
  std::filesystem::path images;       // the folder
};

// Throws OptionError for what is not there.
Files find_files(const Request& request);

}  // namespace coco_instances
