#include <sectile/nn/detection/paste_masks.h>

#include <algorithm>
#include <cmath>
#include <string>

#include <ATen/Parallel.h>

#include <sectile/error.h>

#include "../cuda/detection_gpu.h"
#include "column_runs.h"

namespace sectile::nn {
namespace {

// Where a pixel of the resized mask lies between two of its points, as at::upsample_bilinear2d computes it where the
// processor has fused multiply-add: rounded otherwise, a pixel that lies on a point would be next to it.
struct Between {
  std::int64_t first = 0, second = 0;
  float first_weight = 1, second_weight = 0;
};

// Of the pixels first to last - 1 of `to`, which `from` points are resized to.
std::vector<Between> positions(std::int64_t from, std::int64_t to, std::int64_t first, std::int64_t last) {
  std::vector<Between> all;
  const float scale = static_cast<float>(from) / static_cast<float>(to);
  for (auto i = first; i < last; ++i) {
    const float at = std::max(std::fma(scale, static_cast<float>(i) + 0.5f, -0.5f), 0.f);
    auto& one = all.emplace_back();
    one.first = std::min(static_cast<std::int64_t>(at), from - 1);
    one.second = std::min(one.first + 1, from - 1);
    one.second_weight = std::clamp(at - static_cast<float>(one.first), 0.f, 1.f);
    one.first_weight = 1.f - one.second_weight;
  }
  return all;
}

// The pixels of an axis of the image that a box covers, and where they lie in the mask.
struct Axis {
  std::int64_t first = 0, last = 0;
  std::vector<Between> pixels{};  // of first to last - 1

  Axis(float low, float high, std::int64_t points, std::int64_t image) {
    const float scale = static_cast<float>(points) / static_cast<float>(points - 2);
    const float half = (high - low) * 0.5f * scale, middle = (high + low) * 0.5f;
    constexpr float kFarthest = 1e9f;
    if (!(std::abs(middle) + half < kFarthest && half >= 0)) return;  // also NaN
    const auto begin = static_cast<std::int64_t>(middle - half), end = static_cast<std::int64_t>(middle + half);
    const auto length = std::max<std::int64_t>(end - begin + 1, 1);
    first = std::clamp<std::int64_t>(begin, 0, image);
    last = std::clamp<std::int64_t>(begin + length, first, image);
    pixels = positions(points, length, first - begin, last - begin);
  }
  const Between& at(std::int64_t pixel) const { return pixels[static_cast<std::size_t>(pixel - first)]; }
};

// One mask, with its border of zeros.
class PastedMask {
 public:
  PastedMask(const float* mask, std::int64_t side, const float* box, const cv::Size& image)
      : side_(side + 2), x_(box[0], box[2], side_, image.width), y_(box[1], box[3], side_, image.height) {
    points_.assign(static_cast<std::size_t>(side_ * side_), 0.f);
    for (std::int64_t y = 0; y < side; ++y) std::copy_n(mask + y * side, side, points_.data() + (y + 1) * side_ + 1);
  }

  Rle above(float threshold, const cv::Size& image) const {
    ColumnRuns runs(image);
    std::vector<float> column(static_cast<std::size_t>(side_));
    for (auto x = x_.first; x < x_.last; ++x) {
      const auto& between = x_.at(x);
      for (std::int64_t i = 0; i < side_; ++i) {
        const auto* const row = points_.data() + i * side_;
        column[static_cast<std::size_t>(i)] =
            between.first_weight * row[between.first] + between.second_weight * row[between.second];
      }
      add_column(column, x, threshold, runs);
    }
    return {image, runs.take()};
  }

 private:
  bool is_above(const std::vector<float>& column, std::int64_t y, float threshold) const {
    const auto& between = y_.at(y);
    const float value = between.first_weight * column[static_cast<std::size_t>(between.first)] +
                        between.second_weight * column[static_cast<std::size_t>(between.second)];
    return value > threshold;
  }

  // From one point of the mask to the next, values rise or fall: only the ends are looked at, and the crossing.
  void add_column(const std::vector<float>& column, std::int64_t x, float threshold, ColumnRuns& runs) const {
    std::int64_t begin = -1;  // of the run that has not ended
    const auto becomes = [&](std::int64_t y, bool inside) {
      if (inside == (begin >= 0)) return;
      if (!inside) runs.add(x, begin, y);
      begin = inside ? y : -1;
    };
    for (auto y = y_.first; y < y_.last;) {
      auto last = y;  // between the same two points
      while (last + 1 < y_.last && y_.at(last + 1).first == y_.at(y).first) ++last;
      const bool at_first = is_above(column, y, threshold), at_last = is_above(column, last, threshold);
      becomes(y, at_first);
      if (at_first != at_last) {
        auto low = y, high = last;
        while (high - low > 1) {
          const auto middle = low + (high - low) / 2;
          (is_above(column, middle, threshold) == at_first ? low : high) = middle;
        }
        becomes(high, at_last);
      }
      y = last + 1;
    }
    becomes(y_.last, false);
  }

  std::int64_t side_;
  Axis x_, y_;
  std::vector<float> points_;
};

}  // namespace

std::vector<Rle> paste_masks(const at::Tensor& masks, const at::Tensor& boxes, const cv::Size& image,
                             double threshold) {
  if (masks.dim() != 3 || masks.size(1) != masks.size(2) || boxes.dim() != 2 || boxes.size(1) != 4 ||
      boxes.size(0) != masks.size(0))
    throw PluginError("paste_masks", "takes masks [K, M, M] and boxes [K, 4]");
  if (image.width < 0 || image.height < 0)
    throw PluginError("paste_masks", "was given an image of " + std::to_string(image.width) + " x " +
                                         std::to_string(image.height) + " pixels (width x height)");
  const auto to_floats = [&](const at::Tensor& of) { return of.detach().to(masks.device(), at::kFloat).contiguous(); };
  const auto of_masks = to_floats(masks), of_boxes = to_floats(boxes);
  const auto count = masks.size(0), side = masks.size(1);
  if (masks.is_cuda() && count > 0 && !image.empty())
    return paste_on_gpu(gpu_of(of_masks), of_masks, of_boxes, image, threshold);
  std::vector<Rle> pasted(static_cast<std::size_t>(count));
  at::parallel_for(0, count, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto i = begin; i < end; ++i) {
      const PastedMask mask(of_masks.const_data_ptr<float>() + i * side * side, side,
                            of_boxes.const_data_ptr<float>() + 4 * i, image);
      pasted[static_cast<std::size_t>(i)] = mask.above(static_cast<float>(threshold), image);
    }
  });
  return pasted;
}

}  // namespace sectile::nn
