// Which files of a VOC folder belong to a split.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace voc {

struct Entry {
  std::string name;
  std::filesystem::path image;
  std::filesystem::path labels;   // of classes; empty: unlabelled
  std::filesystem::path objects;  // empty: not asked for
};

struct Request {
  std::filesystem::path root;         // the folder of JPEGImages, or one or two above it
  std::string split;                  // a file of ImageSets/Segmentation, without .txt
  std::optional<std::string> labels;  // a folder; none: SegmentationClass, or what the list says
  bool objects = false;
};

// In the order of the list; every file named is there. Only the split "test" may be without labels. Throws DataError.
std::vector<Entry> find_entries(const Request& request);

}  // namespace voc
