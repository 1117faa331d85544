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

// The name of an image's file, with folders, without suffix, and without a way out of a folder of results.
std::string name_of(const std::string& file_name);

}  // namespace coco_instances
