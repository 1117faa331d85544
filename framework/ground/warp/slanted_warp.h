// Warps of images that move no row as a whole: rotations, shears, perspectives, displacements. Nearest pixels are
// identical to those of the plain sampler, interpolated integers within one level (float or 14 bits instead of double).
#pragma once

#include <cstdint>

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

  // All keep where nearest pixels are: most samples have an image and labels, and some hundreds of masks.
  // fill: one pixel.
  void nearest(const cv::Mat& from, cv::Mat& to, const void* fill) const;
  // T: of std::uint8_t, std::uint16_t, std::int16_t, float. fill: one value per channel.
  template <class T>
  void linear(const cv::Mat& from, cv::Mat& to, const T* fill) const;
  template <class T>
  void cubic(const cv::Mat& from, cv::Mat& to, const T* fill) const;

 private:
  template <class Place, class Blend, class T>
  void blend(const cv::Mat& from, cv::Mat& to, const T* fill, Place place, Blend blend_row) const;
  std::int32_t* nearest_of_row(int row) const;

  const Warp& warp_;
  const Extent from_;
  mutable cv::Mat nearest_{};  // 32S: of each pixel of the result, the source's, row by row; -1: outside
};

}  // namespace sectile
