// The pixels of a label map of any kind, of an image or a volume.
#pragma once

#include <algorithm>
#include <array>

#include <opencv2/core.hpp>

#include <sectile/sample.h>

namespace random_crop {

using Position = std::array<int, 3>;  // (z, y, x)

constexpr float kInside = 0.5f;  // from here on a pixel belongs to an overlapping class

// Calls use(values of all channels, position) of one pixel after the other, until it returns true. from, to: the
// pixels of this window that the map has; to is the first one after it.
template <class Value, class Use>
void each_pixel(const cv::Mat& map, const Position& from, const Position& to, const Use& use) {
  const auto size = sectile::extent(map);
  const int left = std::max(0, from[2]);
  for (int z = std::max(0, from[0]); z < std::min(to[0], size.depth); ++z)
    for (int y = std::max(0, from[1]); y < std::min(to[1], size.height); ++y) {
      const auto* at = (map.dims == 3 ? map.ptr<Value>(z, y) : map.ptr<Value>(y)) + left * map.channels();
      for (int x = left; x < std::min(to[2], size.width); ++x, at += map.channels())
        if (use(at, Position{z, y, x})) return;
    }
}
template <class Value, class Use>
void each_pixel(const cv::Mat& map, const Use& use) {
  const auto size = sectile::extent(map);
  each_pixel<Value>(map, {0, 0, 0}, {size.depth, size.height, size.width}, use);
}

}  // namespace random_crop
