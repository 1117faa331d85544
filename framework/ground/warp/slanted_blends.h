// Interpolated pixels of one row of a slanted warp's result.
#pragma once

#include <cstddef>
#include <cstdint>

#include <opencv2/core.hpp>

#include "slanted_rows.h"

namespace sectile {

struct SourcePixels {
  static bool fits(const cv::Mat& map);  // into 32 bits
  explicit SourcePixels(const cv::Mat& map);

  const std::uint8_t* data;
  int width, height, channels;
  PixelSteps steps;
  std::ptrdiff_t right, down;  // to the next neighbors, in bytes: 0 where there is none
  std::ptrdiff_t bytes;        // of the map
};

// `row` was placed for the interpolation. fill: one value per channel.
template <class T>
using BlendRow = void (*)(const SourcePixels& from, SlantedRow& row, std::size_t count, const T* fill, T* to);

// T: of std::uint8_t, std::uint16_t, std::int16_t, float.
template <class T>
BlendRow<T> linear_blend(int channels);
template <class T>
BlendRow<T> cubic_blend(int channels);

// For 8 bits and 3 or 4 channels; null where the processor does not have the instructions.
BlendRow<std::uint8_t> linear_blend_of_bytes(int channels);

}  // namespace sectile
