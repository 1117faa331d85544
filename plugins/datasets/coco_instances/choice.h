// Which classes, images and objects of a file the dataset has.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <opencv2/core/types.hpp>

#include <sectile/context.h>
#include <sectile/data/coco_file.h>

namespace coco_instances {

struct Selection {
  std::vector<std::string> categories;  // names, in the order of class numbers; empty: all
  bool background = false;              // a class in front, or the category of that name
  bool keep_empty = true;
  bool keep_degenerate = false;
};

struct Choice {
  sectile::LabelMap labels{};
  std::vector<int> numbers{};                    // the class of each category of the file; -1: left out
  std::vector<int> images{};                     // positions in the file
  std::vector<std::string> names{};              // of their samples
  std::map<int, sectile::CocoFault> faults{};    // the first of each image that has one, by its position
  std::vector<std::string> notes{}, left_out{};  // for the user
};

// Throws OptionError for categories that the file does not have, DataError for a file without images or classes.
Choice choose(const sectile::CocoFile& file, const Selection& selection);

// torchvision's rule (references/detection/coco_utils.py): in float32 and within the image, it has no width or height.
bool is_degenerate(const cv::Rect2d& box, const cv::Size& image);

}  // namespace coco_instances
