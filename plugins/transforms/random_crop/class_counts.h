// How many pixels of a window each class has.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/sample.h>

#include "pixels.h"

namespace random_crop {

struct ClassCounts {
  std::vector<std::int64_t> classes{};
  std::int64_t labelled = 0;
};

inline ClassCounts count_numbers(const cv::Mat& labels, const Position& from, const Position& to) {
  ClassCounts counts;
  each_pixel<std::int16_t>(labels, from, to, [&](const std::int16_t* at, const Position&) {
    if (*at == sectile::kIgnore) return false;
    const auto number = static_cast<std::size_t>(*at);
    if (number >= counts.classes.size()) counts.classes.resize(number + 1);
    ++counts.classes[number], ++counts.labelled;
    return false;
  });
  return counts;
}

// Labels of one channel per class. Where classes overlap, a pixel may have several or none of them.
inline ClassCounts count_per_class(const cv::Mat& labels, const Position& from, const Position& to, bool overlapping) {
  const auto classes = static_cast<std::size_t>(labels.channels());
  ClassCounts counts{std::vector<std::int64_t>(classes), 0};
  each_pixel<float>(labels, from, to, [&](const float* at, const Position&) {
    const auto* largest = std::max_element(at, at + classes);
    if (*largest < 0) return false;  // ignored in all
    ++counts.labelled;
    if (overlapping)
      for (std::size_t c = 0; c < classes; ++c) counts.classes[c] += at[c] >= kInside;
    else
      ++counts.classes[static_cast<std::size_t>(largest - at)];
    return false;
  });
  return counts;
}

}  // namespace random_crop
