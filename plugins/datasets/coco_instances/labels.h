// A map of classes out of objects.
#pragma once

#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/mask.h>

namespace coco_instances {

// What a pixel of several objects is: ignored, as in torchvision's reference (references/segmentation/coco_utils.py,
// ConvertCocoPolysToMask), which also does so for objects of one class; of the object with the fewest pixels; or of the
// one that is last in the file.
enum class Overlap { ignore, smallest, last };

struct Layer {
  sectile::Rle pixels{};
  std::int16_t number = 0;  // of the class; kIgnore: pixels that do not count unless an object covers them
};

// 16S. outside: the number of pixels of no layer.
cv::Mat labels_of(std::vector<Layer> layers, const cv::Size& size, std::int16_t outside, Overlap overlap);

}  // namespace coco_instances
