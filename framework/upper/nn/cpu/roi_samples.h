// Sums of RoIAlign on the CPU. A bin is the mean of bilinear samples on a grid, and so a product of sums along both
// axes: pixels that several samples touch are read once.
#pragma once

#include <cstdint>
#include <vector>

namespace sectile::nn {

constexpr int kMostSamples = 4096;  // per bin and axis: more than any image has pixels there

// What each bin of an axis sums: pixels and their weights.
template <class Number>
class AxisSamples {
 public:
  struct Entry {
    std::int64_t pixel;
    Number weight;
  };
  // start, length: of the region, in pixels of the features. sampling_ratio: 0, or samples per bin.
  AxisSamples(Number start, Number length, std::int64_t size, int bins, int sampling_ratio);
  const Entry* begin(int bin) const { return entries_.data() + first_[static_cast<std::size_t>(bin)]; }
  const Entry* end(int bin) const { return entries_.data() + first_[static_cast<std::size_t>(bin) + 1]; }

 private:
  void add(std::int64_t pixel, Number weight);
  std::vector<Entry> entries_;
  std::vector<std::size_t> first_{0};  // of each bin, and the end
};

template <class Number>
struct RoiSamples {
  AxisSamples<Number> rows, columns;
  std::int64_t width;  // of the features
  int bins;            // per side
};

// image: [H, W, C]. output: [bins, bins, C].
template <class Feature, class Number>
void average_samples(const RoiSamples<Number>& samples, const Feature* image, std::int64_t channels, Feature* output);

// The gradient of average_samples, for the channels begin to end - 1: added to `image`.
template <class Feature, class Number>
void add_to_samples(const RoiSamples<Number>& samples, const Feature* output, std::int64_t channels, std::int64_t begin,
                    std::int64_t end, Number* image);

}  // namespace sectile::nn
