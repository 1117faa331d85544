// One column of a pasted mask as runs of pixels, on the CPU too (upper/nn/detection/paste_masks.cpp).
#pragma once

#include <cmath>

#include "kernels.h"
#include "portable.h"

namespace sectile::cuda {

// The pixels of an axis of the image that a box covers. points: of the mask, with its border of zeros.
struct PasteAxis {
  std::int64_t first, last;    // within the image
  std::int64_t begin, length;  // of the whole box
  std::int64_t points;
};

SECTILE_DEVICE PasteAxis paste_axis(float low, float high, std::int64_t points, std::int64_t image) {
  const float scale = static_cast<float>(points) / static_cast<float>(points - 2);
  const float half = (high - low) * 0.5f * scale, middle = (high + low) * 0.5f;
  constexpr float kFarthest = 1e9f;
  if (!((middle < 0 ? -middle : middle) + half < kFarthest && half >= 0)) return {0, 0, 0, 1, points};  // also NaN
  const auto begin = static_cast<std::int64_t>(middle - half), end = static_cast<std::int64_t>(middle + half);
  const auto length = larger<std::int64_t>(end - begin + 1, 1);
  const auto first = clamped<std::int64_t>(begin, 0, image);
  return {first, clamped<std::int64_t>(begin + length, first, image), begin, length, points};
}

SECTILE_DEVICE PasteAxis paste_columns(const PasteMasks& call, std::int64_t mask) {
  return paste_axis(call.boxes[4 * mask], call.boxes[4 * mask + 2], call.side + 2, call.width);
}

// Where a pixel lies between two points of the mask, as at::upsample_bilinear2d computes it where the processor has
// fused multiply-add: rounded otherwise, a pixel that lies on a point would be next to it.
struct PasteBetween {
  std::int64_t first, second;
  float first_weight, second_weight;
};

SECTILE_DEVICE PasteBetween paste_between(const PasteAxis& axis, std::int64_t pixel) {
  const float scale = static_cast<float>(axis.points) / static_cast<float>(axis.length);
  const float at = larger(fmaf(scale, static_cast<float>(pixel - axis.begin) + 0.5f, -0.5f), 0.f);
  PasteBetween between;
  between.first = smaller(static_cast<std::int64_t>(at), axis.points - 1);
  between.second = smaller(between.first + 1, axis.points - 1);
  between.second_weight = clamped(at - static_cast<float>(between.first), 0.f, 1.f);
  between.first_weight = 1.f - between.second_weight;
  return between;
}

// A column of the image through a mask.
class PasteColumn {
 public:
  SECTILE_DEVICE PasteColumn(const PasteMasks& call, std::int64_t mask, std::int64_t column)
      : points_(call.masks + mask * call.side * call.side),
        side_(call.side),
        threshold_(static_cast<float>(call.threshold)),
        rows_(paste_axis(call.boxes[4 * mask + 1], call.boxes[4 * mask + 3], call.side + 2, call.height)) {
    const auto columns = paste_columns(call, mask);
    is_covered_ = column >= columns.first && column < columns.last;
    between_ = paste_between(columns, column);
  }

  // use(top, bottom) of each run. From one point of the mask to the next, values rise or fall: only the ends are looked
  // at, and the crossing.
  template <class Use>
  SECTILE_DEVICE void each_run(const Use& use) const {
    if (!is_covered_) return;
    std::int64_t begin = -1;  // of the run that has not ended
    const auto becomes = [&](std::int64_t y, bool inside) {
      if (inside == (begin >= 0)) return;
      if (!inside) use(begin, y);
      begin = inside ? y : -1;
    };
    for (auto y = rows_.first; y < rows_.last;) {
      const auto first = paste_between(rows_, y);
      const float upper = value(first.first), lower = value(first.second);
      const auto last = last_with(first.first, y);
      const bool at_first = is_above(upper, lower, y), at_last = is_above(upper, lower, last);
      becomes(y, at_first);
      if (at_first != at_last) {
        auto low = y, high = last;
        while (high - low > 1) {
          const auto middle = low + (high - low) / 2;
          (is_above(upper, lower, middle) == at_first ? low : high) = middle;
        }
        becomes(high, at_last);
      }
      y = last + 1;
    }
    becomes(rows_.last, false);
  }

 private:
  // Of a row of points, in this column.
  SECTILE_DEVICE float value(std::int64_t row) const {
    return between_.first_weight * point(row, between_.first) + between_.second_weight * point(row, between_.second);
  }
  SECTILE_DEVICE float point(std::int64_t row, std::int64_t column) const {
    if (row < 1 || column < 1 || row > side_ || column > side_) return 0;
    return points_[(row - 1) * side_ + column - 1];
  }
  // The last pixel below the point `first`.
  SECTILE_DEVICE std::int64_t last_with(std::int64_t first, std::int64_t pixel) const {
    auto low = pixel, high = rows_.last;
    while (high - low > 1) {
      const auto middle = low + (high - low) / 2;
      (paste_between(rows_, middle).first == first ? low : high) = middle;
    }
    return low;
  }
  SECTILE_DEVICE bool is_above(float upper, float lower, std::int64_t pixel) const {
    const auto between = paste_between(rows_, pixel);
    return between.first_weight * upper + between.second_weight * lower > threshold_;
  }

  const float* points_;
  std::int64_t side_;
  float threshold_;
  PasteAxis rows_;
  PasteBetween between_;
  bool is_covered_;
};

// index: mask * width + column.
SECTILE_DEVICE void count_runs_of(const PasteMasks& call, std::int64_t index) {
  std::int32_t count = 0;
  PasteColumn(call, index / call.width, index % call.width).each_run([&](std::int64_t, std::int64_t) { ++count; });
  call.counts[index] = count;
}
SECTILE_DEVICE void write_runs_of(const PasteMasks& call, std::int64_t index) {
  auto* run = call.runs + 2 * (call.ends[index] - call.counts[index]);
  const auto top_of_column = (index % call.width) * call.height;
  PasteColumn(call, index / call.width, index % call.width).each_run([&](std::int64_t top, std::int64_t bottom) {
    *run++ = top_of_column + top;
    *run++ = top_of_column + bottom;
  });
}

}  // namespace sectile::cuda
