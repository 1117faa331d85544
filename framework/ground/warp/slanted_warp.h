// Warps of images that move no row as a whole: rotations, shears, perspectives, displacements. Nearest pixels are
// identical to those of the plain sampler, interpolated integers within one level (float instead of double).
#pragma once

#include <cstdint>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace sectile {

class SlantedWarp {
 public:
  // Of an image, whose positions stay in its plane; sizes that 32 bits can count.
  static bool fits(const Warp& warp, const cv::Mat& from);

  // The warp is kept by reference. from: the size of the maps.
  SlantedWarp(const Warp& warp, const Extent& from) : warp_(warp), from_(from) {}
  const Extent& from() const { return from_; }

  // fill: one pixel. From the second call on, positions are kept: there may be hundreds of masks.
  void nearest(const cv::Mat& from, cv::Mat& to, const void* fill) const;
  // T: of std::uint8_t, std::uint16_t, std::int16_t, float. fill: one value per channel.
  template <class T>
  void linear(const cv::Mat& from, cv::Mat& to, const T* fill) const;

 private:
  const Warp& warp_;
  const Extent from_;
  mutable int uses_ = 0;
  mutable std::vector<std::int32_t> nearest_{};  // of each pixel of the result: the source's, row by row; -1: outside
};

}  // namespace sectile
