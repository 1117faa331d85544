// RoIAlign (He et al. 2017, arXiv:1703.06870), with the numbers of torchvision.ops.roi_align: a bin is the mean of
// bilinear samples on a grid. Features are channels last, so that threads beside each other read what lies so.
#pragma once

#include <cmath>

#include "kernels.h"
#include "portable.h"

namespace sectile::cuda {

// A region along one axis, in pixels of its features.
template <class Number>
struct RoiAxis {
  Number start, length;
  int size;  // of the features
  Number bin;
  int grid;  // samples per bin; -1: the region is larger than any image, or not a number
};

template <class Number>
SECTILE_DEVICE RoiAxis<Number> roi_axis(Number low, Number high, Number scale, int size, const RoiAlign& call) {
  const auto offset = static_cast<Number>(call.aligned ? 0.5 : 0);
  RoiAxis<Number> axis;
  axis.size = size;
  axis.start = low * scale - offset;
  axis.length = high * scale - offset - axis.start;
  const bool is_finite = axis.length - axis.length == 0;
  if (!call.aligned) axis.length = larger(axis.length, Number(1));
  axis.bin = axis.length / static_cast<Number>(call.bins);
  const Number samples = call.sampling_ratio > 0 ? static_cast<Number>(call.sampling_ratio) : std::ceil(axis.bin);
  constexpr Number kMost = 4096;
  axis.grid = !is_finite || !(samples <= kMost) ? -1 : samples > 0 ? static_cast<int>(samples) : 0;
  return axis;
}

template <class Number>
SECTILE_DEVICE RoiAxis<Number> roi_rows(const RoiAlign& call, const RoiAlign::Level& level, std::int64_t region) {
  const auto* const box = static_cast<const Number*>(call.boxes) + 4 * region;
  return roi_axis(box[1], box[3], static_cast<Number>(level.scale), level.height, call);
}
template <class Number>
SECTILE_DEVICE RoiAxis<Number> roi_columns(const RoiAlign& call, const RoiAlign::Level& level, std::int64_t region) {
  const auto* const box = static_cast<const Number*>(call.boxes) + 4 * region;
  return roi_axis(box[0], box[2], static_cast<Number>(level.scale), level.width, call);
}

// A sample lies between two pixels; their weights are shares of the bin. low is -1 where nothing is.
template <class Number>
struct RoiSample {
  int low, high;
  Number low_weight, high_weight;
};

template <class Number>
SECTILE_DEVICE RoiSample<Number> roi_sample(const RoiAxis<Number>& axis, int bin, int i) {
  const auto grid = static_cast<Number>(axis.grid);
  Number at =
      axis.start + static_cast<Number>(bin) * axis.bin + (static_cast<Number>(i) + Number(0.5)) * axis.bin / grid;
  if (!(at >= -1 && at <= static_cast<Number>(axis.size))) return {-1, -1, 0, 0};
  at = larger(at, Number(0));
  const auto low = static_cast<int>(at);
  const Number share = Number(1) / grid;
  if (low >= axis.size - 1) return {axis.size - 1, axis.size - 1, share, 0};
  const Number beyond = at - static_cast<Number>(low);
  return {low, low + 1, (1 - beyond) * share, beyond * share};
}

template <class Feature, class Number, int kLanes>
SECTILE_DEVICE void add_pixel(const Feature* image, std::int64_t pixel, std::int64_t channels, Number weight,
                              Number (&sums)[kLanes]) {
  const auto values = *reinterpret_cast<const Pack<Feature, kLanes>*>(image + pixel * channels);
  for (int lane = 0; lane < kLanes; ++lane) sums[lane] = multiply_add(weight, widened(values.lanes[lane]), sums[lane]);
}

// Channels channel to channel + kLanes - 1 of a bin. level: that of the region, of this call.
template <class Feature, int kLanes>
SECTILE_DEVICE void average_bin(const RoiAlign& call, const RoiAlign::Level& level, std::int64_t region, int bin,
                                std::int64_t channel) {
  using Number = typename SumOf<Feature>::Type;
  const auto rows = roi_rows<Number>(call, level, region), columns = roi_columns<Number>(call, level, region);
  const auto* const image = static_cast<const Feature*>(level.features) +
                            call.places[2 * region] * (call.channels * level.height * level.width) + channel;
  const bool possible = rows.grid >= 0 && columns.grid >= 0;
  Number sums[kLanes];
  for (auto& sum : sums) sum = possible ? Number(0) : Number(NAN);
  for (int i = 0; possible && i < rows.grid; ++i) {
    const auto row = roi_sample(rows, bin / call.bins, i);
    if (row.low < 0) continue;
    const auto above = std::int64_t{row.low} * level.width, below = std::int64_t{row.high} * level.width;
    for (int j = 0; j < columns.grid; ++j) {
      const auto column = roi_sample(columns, bin % call.bins, j);
      if (column.low < 0) continue;
      add_pixel(image, above + column.low, call.channels, row.low_weight * column.low_weight, sums);
      add_pixel(image, above + column.high, call.channels, row.low_weight * column.high_weight, sums);
      add_pixel(image, below + column.low, call.channels, row.high_weight * column.low_weight, sums);
      add_pixel(image, below + column.high, call.channels, row.high_weight * column.high_weight, sums);
    }
  }
  Pack<Feature, kLanes> values;
  for (int lane = 0; lane < kLanes; ++lane) narrow(sums[lane], values.lanes[lane]);
  auto* const output = static_cast<Feature*>(call.output);
  const auto row = region * call.bins * call.bins + bin;
  *reinterpret_cast<Pack<Feature, kLanes>*>(output + row * call.channels + channel) = values;
}

}  // namespace sectile::cuda
