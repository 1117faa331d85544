// The objects of a map whose pixels hold the numbers of objects, as many datasets store them.
#pragma once

#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>

#include <sectile/mask.h>

namespace sectile {

// All pixels of one number.
struct Region {
  std::int32_t number = 0;
  Rle mask{};
  std::int64_t area = 0;
  cv::Rect box{};
};

// numbers: 8U, 16U or 32S, H x W, one channel. Every number that occurs, also 0, ascending. One pass, and no bitmaps:
// time and memory follow the runs of equal pixels, and not the number of objects.
SECTILE_EXPORT std::vector<Region> regions_of(const cv::Mat& numbers);

}  // namespace sectile
