#include "roi_samples.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <type_traits>

#include <c10/util/BFloat16.h>

#include <sectile/error.h>

namespace sectile::nn {

template <class Number>
AxisSamples<Number>::AxisSamples(Number start, Number length, std::int64_t size, int bins, int sampling_ratio) {
  const Number bin = length / static_cast<Number>(bins);
  const Number wanted = sampling_ratio > 0 ? static_cast<Number>(sampling_ratio) : std::ceil(bin);
  if (!(wanted <= Number(kMostSamples)))
    throw PluginError("roi_align", "was given a box of " + std::to_string(length) + " pixels");
  const int grid = std::max(0, static_cast<int>(wanted));
  for (int b = 0; b < bins; ++b) {
    for (int i = 0; i < grid; ++i) {
      Number at = start + static_cast<Number>(b) * bin +
                  (static_cast<Number>(i) + Number(0.5)) * bin / static_cast<Number>(grid);
      if (!(at >= -1 && at <= static_cast<Number>(size))) continue;  // nothing is there
      at = std::max(at, Number(0));
      const auto low = static_cast<std::int64_t>(at);
      const auto share = Number(1) / static_cast<Number>(grid);
      if (low >= size - 1) {
        add(size - 1, share);
      } else {
        const Number beyond = at - static_cast<Number>(low);
        add(low, (1 - beyond) * share);
        add(low + 1, beyond * share);
      }
    }
    first_.push_back(entries_.size());
  }
}

template <class Number>
void AxisSamples<Number>::add(std::int64_t pixel, Number weight) {
  for (auto i = entries_.size(); i > first_.back(); --i)
    if (entries_[i - 1].pixel == pixel) {
      entries_[i - 1].weight += weight;
      return;
    }
  entries_.push_back({pixel, weight});
}

namespace {

#define SECTILE_INLINE __attribute__((always_inline)) inline

template <class Number>
struct Vector {
  static constexpr std::int64_t kBytes = 64, kLanes = kBytes / static_cast<std::int64_t>(sizeof(Number));
  using Type __attribute__((vector_size(kBytes), aligned(alignof(Number)), may_alias)) = Number;
};

template <class Number>
requires std::is_floating_point_v<Number> SECTILE_INLINE void load(const Number* from,
                                                                   typename Vector<Number>::Type& lanes) {
  lanes = *reinterpret_cast<const typename Vector<Number>::Type*>(from);
}
template <class Number>
requires std::is_floating_point_v<Number> SECTILE_INLINE void store(const typename Vector<Number>::Type& lanes,
                                                                    Number* to) {
  *reinterpret_cast<typename Vector<Number>::Type*>(to) = lanes;
}

using Halves = std::uint16_t __attribute__((vector_size(32), aligned(2), may_alias));
using Words = std::uint32_t __attribute__((vector_size(64), aligned(4), may_alias));

SECTILE_INLINE void load(const c10::BFloat16* from, Vector<float>::Type& lanes) {
  Words words = __builtin_convertvector(*reinterpret_cast<const Halves*>(from), Words);
  words <<= 16;
  lanes = reinterpret_cast<Vector<float>::Type&>(words);
}
SECTILE_INLINE void store(const Vector<float>::Type& lanes, c10::BFloat16* to) {
  const auto& words = reinterpret_cast<const Words&>(lanes);
  Words rounded = (words + 0x7fff + ((words >> 16) & 1)) >> 16;  // to the nearest, ties to even
  rounded = lanes == lanes ? rounded : Words{} + 0x7fc0;         // NaN stays NaN
  *reinterpret_cast<Halves*>(to) = __builtin_convertvector(rounded, Halves);
}

template <class Number>
struct Source {
  std::int64_t offset;
  Number weight;
};

template <int kVectors, class Feature, class Number>
SECTILE_INLINE void sum_vectors(const Source<Number>* begin, const Source<Number>* end, const Feature* image,
                                Feature* output) {
  using Lanes = typename Vector<Number>::Type;
  Lanes sums[kVectors] = {};
  for (const auto* source = begin; source != end; ++source)
    for (int v = 0; v < kVectors; ++v) {
      Lanes lanes;
      load(image + source->offset + v * Vector<Number>::kLanes, lanes);
      sums[v] += source->weight * lanes;
    }
  for (int v = 0; v < kVectors; ++v) store(sums[v], output + v * Vector<Number>::kLanes);
}

template <class Feature, class Number>
SECTILE_INLINE void sum_pixels(const Source<Number>* begin, const Source<Number>* end, const Feature* image,
                               std::int64_t channels, Feature* output) {
  constexpr auto kLanes = Vector<Number>::kLanes;
  std::int64_t c = 0;
  for (; c + 4 * kLanes <= channels; c += 4 * kLanes) sum_vectors<4>(begin, end, image + c, output + c);
  for (; c + kLanes <= channels; c += kLanes) sum_vectors<1>(begin, end, image + c, output + c);
  for (; c < channels; ++c) {
    Number sum = 0;
    for (const auto* source = begin; source != end; ++source)
      sum += source->weight * static_cast<Number>(image[source->offset + c]);
    output[c] = static_cast<Feature>(sum);
  }
}

template <class Feature, class Number>
SECTILE_INLINE void add_pixels(const Source<Number>* begin, const Source<Number>* end, const Feature* gradient,
                               std::int64_t from, std::int64_t to, Number* image) {
  constexpr auto kLanes = Vector<Number>::kLanes;
  using Lanes = typename Vector<Number>::Type;
  std::int64_t c = from;
  for (; c + kLanes <= to; c += kLanes) {
    Lanes of_bin;
    load(gradient + c, of_bin);
    for (const auto* source = begin; source != end; ++source) {
      Lanes lanes;
      load(image + source->offset + c, lanes);
      lanes += source->weight * of_bin;
      store(lanes, image + source->offset + c);
    }
  }
  for (; c < to; ++c)
    for (const auto* source = begin; source != end; ++source)
      image[source->offset + c] += source->weight * static_cast<Number>(gradient[c]);
}

// use(sources of a bin, the bin's index)
template <class Number, class Use>
SECTILE_INLINE void each_bin(const RoiSamples<Number>& samples, std::int64_t channels,
                             std::vector<Source<Number>>& sources, const Use& use) {
  for (int y = 0; y < samples.bins; ++y)
    for (int x = 0; x < samples.bins; ++x) {
      sources.clear();
      for (const auto* row = samples.rows.begin(y); row != samples.rows.end(y); ++row)
        for (const auto* column = samples.columns.begin(x); column != samples.columns.end(x); ++column)
          sources.push_back({(row->pixel * samples.width + column->pixel) * channels, row->weight * column->weight});
      use(sources.data(), sources.data() + sources.size(), std::int64_t{y} * samples.bins + x);
    }
}

template <class Feature, class Number>
SECTILE_INLINE void average_all(const RoiSamples<Number>& samples, const Feature* image, std::int64_t channels,
                                Feature* output) {
  std::vector<Source<Number>> sources;
  each_bin(
      samples, channels,
      sources, [&](const auto* begin, const auto* end, std::int64_t bin) __attribute__((always_inline)) {
        sum_pixels(begin, end, image, channels, output + bin * channels);
      });
}

template <class Feature, class Number>
SECTILE_INLINE void add_all(const RoiSamples<Number>& samples, const Feature* gradient, std::int64_t channels,
                            std::int64_t from, std::int64_t to, Number* image) {
  std::vector<Source<Number>> sources;
  each_bin(
      samples, channels,
      sources, [&](const auto* begin, const auto* end, std::int64_t bin) __attribute__((always_inline)) {
        add_pixels(begin, end, gradient + bin * channels, from, to, image);
      });
}

// The same code for processors with and without wide vectors.
#if defined(__x86_64__)
template <class Feature, class Number>
__attribute__((target("avx512f,avx512bw,avx512vl,fma"))) void average_wide(const RoiSamples<Number>& samples,
                                                                           const Feature* image, std::int64_t channels,
                                                                           Feature* output) {
  average_all(samples, image, channels, output);
}
template <class Feature, class Number>
__attribute__((target("avx512f,avx512bw,avx512vl,fma"))) void add_wide(const RoiSamples<Number>& samples,
                                                                       const Feature* gradient, std::int64_t channels,
                                                                       std::int64_t from, std::int64_t to,
                                                                       Number* image) {
  add_all(samples, gradient, channels, from, to, image);
}
bool has_wide_vectors() {
  static const bool has = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("fma");
  return has;
}
#else
template <class Feature, class Number>
void average_wide(const RoiSamples<Number>& samples, const Feature* image, std::int64_t channels, Feature* output) {
  average_all(samples, image, channels, output);
}
template <class Feature, class Number>
void add_wide(const RoiSamples<Number>& samples, const Feature* gradient, std::int64_t channels, std::int64_t from,
              std::int64_t to, Number* image) {
  add_all(samples, gradient, channels, from, to, image);
}
bool has_wide_vectors() { return false; }
#endif

#undef SECTILE_INLINE

}  // namespace

template <class Feature, class Number>
void average_samples(const RoiSamples<Number>& samples, const Feature* image, std::int64_t channels, Feature* output) {
  if (has_wide_vectors())
    average_wide(samples, image, channels, output);
  else
    average_all(samples, image, channels, output);
}

template <class Feature, class Number>
void add_to_samples(const RoiSamples<Number>& samples, const Feature* output, std::int64_t channels, std::int64_t begin,
                    std::int64_t end, Number* image) {
  if (has_wide_vectors())
    add_wide(samples, output, channels, begin, end, image);
  else
    add_all(samples, output, channels, begin, end, image);
}

template class AxisSamples<float>;
template class AxisSamples<double>;
template void average_samples(const RoiSamples<float>&, const float*, std::int64_t, float*);
template void average_samples(const RoiSamples<double>&, const double*, std::int64_t, double*);
template void average_samples(const RoiSamples<float>&, const c10::BFloat16*, std::int64_t, c10::BFloat16*);
template void add_to_samples(const RoiSamples<float>&, const float*, std::int64_t, std::int64_t, std::int64_t, float*);
template void add_to_samples(const RoiSamples<double>&, const double*, std::int64_t, std::int64_t, std::int64_t,
                             double*);
template void add_to_samples(const RoiSamples<float>&, const c10::BFloat16*, std::int64_t, std::int64_t, std::int64_t,
                             float*);

}  // namespace sectile::nn
