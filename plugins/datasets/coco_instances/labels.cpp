#include "labels.h"

#include <algorithm>

#include <opencv2/core.hpp>

#include <sectile/data/rle.h>
#include <sectile/sample.h>

namespace coco_instances {
namespace {

constexpr std::int16_t kNothing = -2;  // no layer so far

template <class Use>
void for_each_run(const sectile::Rle& rle, std::int16_t* pixels, const Use& use) {
  for (std::size_t i = 0; i < rle.counts.size(); pixels += rle.counts[i++])
    if (i % 2) use(pixels, pixels + rle.counts[i]);
}

}  // namespace

cv::Mat labels_of(std::vector<Layer> layers, const cv::Size& size, std::int16_t outside, Overlap overlap) {
  cv::Mat columns(size.width, size.height, CV_16S, cv::Scalar(kNothing));
  auto* const pixels = columns.ptr<std::int16_t>();
  if (overlap == Overlap::ignore) {
    for (const auto& layer : layers)
      for_each_run(layer.pixels, pixels, [&](std::int16_t* at, const std::int16_t* end) {
        for (; at != end; ++at) *at = *at == kNothing ? layer.number : sectile::kIgnore;
      });
  } else {
    // What is painted later covers what was there.
    const auto rank = [&](const Layer& layer) {
      if (layer.number == sectile::kIgnore) return -(std::int64_t{1} << 62);
      return overlap == Overlap::smallest ? -sectile::area_of(layer.pixels) : 0;
    };
    std::stable_sort(layers.begin(), layers.end(), [&](const Layer& a, const Layer& b) { return rank(a) < rank(b); });
    for (const auto& layer : layers)
      for_each_run(layer.pixels, pixels,
                   [&](std::int16_t* at, std::int16_t* end) { std::fill(at, end, layer.number); });
  }
  std::replace(pixels, pixels + columns.total(), kNothing, outside);
  return columns.t();
}

}  // namespace coco_instances
