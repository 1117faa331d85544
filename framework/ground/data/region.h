// The pixels of a mask as intervals of positions, column by column: what overlaps are computed of.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <opencv2/core/types.hpp>

#include <sectile/mask.h>

namespace sectile {

struct MaskIntervals {
  struct Interval {
    std::uint32_t begin, end;
  };
  cv::Size size{};
  std::vector<Interval> intervals{};
  std::int64_t area = 0;
  cv::Rect box{};  // the smallest; empty: no pixels

  void assign(const Rle& rle);
  void assign(std::string_view compressed, const cv::Size& size);  // COCO's

 private:
  class Builder;
};

std::int64_t common_area(const MaskIntervals& a, const MaskIntervals& b);

// The pixels that are at most `width` pixels from one that is not in the mask, along both axes; what is beyond the
// image is not (Cheng et al. 2021).
MaskIntervals boundary_of(const MaskIntervals& region, int width);

}  // namespace sectile
