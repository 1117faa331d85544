// The segments of a panoptic PNG.
#pragma once

#include <cstdint>
#include <map>

#include <opencv2/core/mat.hpp>

#include <sectile/mask.h>

namespace coco_panoptic {

// ids: 32S. The pixels of each id, also of 0.
std::map<std::int32_t, sectile::Rle> masks_of(const cv::Mat& ids);

}  // namespace coco_panoptic
