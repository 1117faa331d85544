// Which images and pixel maps belong to a split.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace coco_stuff {

struct Entry {
  std::string name;  // of the file, without suffix
  std::filesystem::path image;
  std::filesystem::path mask;  // empty: unlabeled
};

struct Request {
  std::filesystem::path root;
  std::string split;
  std::optional<std::filesystem::path> images, masks;  // folders, instead of those of the split
};

// In the order of names. Throws OptionError for a folder that is not there, DataError for images without a map.
std::vector<Entry> find_entries(const Request& request);

}  // namespace coco_stuff
