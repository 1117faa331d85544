// Random noise with the formulas of albumentations' GaussNoise, MultiplicativeNoise and ShotNoise. As there, what is
// added to integers and what they are multiplied to is cut off, not rounded, and clipped to their range; shot noise is
// rounded.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

#include "random_numbers.h"

namespace {

enum class Mode { gaussian, multiplicative, poisson };
using Range = std::array<double, 2>;

constexpr Range kStdRange = {0.2, 0.44}, kMeanRange = {0, 0}, kMultiplier = {0.9, 1.1}, kScaleRange = {0.1, 0.3};
constexpr double kSmallestScale = 0.002;  // 500 counts for white: their probabilities are above 1e-300
constexpr double kLargestFactor = 1000;
constexpr double kGamma = 2.2;  // of sRGB, about: counts are linear in light

struct NoiseOptions {
  Mode mode = Mode::gaussian;
  std::optional<Range> std_range, mean_range, multiplier, scale_range;
  std::optional<bool> per_channel, elementwise;
  std::optional<double> noise_scale_factor;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("mode", &mode,
             "gaussian: adds normally distributed numbers. multiplicative: multiplies by uniformly distributed ones. "
             "poisson: the noise of counting photons (shot noise), which is stronger in darker pixels.")
        .one_of({"gaussian", "multiplicative", "poisson"});
    options
        .add(
            "std_range", &std_range,
            "Of gaussian: [min, max] standard deviation, as a fraction of the maximum value (255 for 8 bits, 65535 for "
            "16 bits, 1 for float). Default: [0.2, 0.44].")
        .at_least(0)
        .at_most(1);
    options
        .add("mean_range", &mean_range,
             "Of gaussian: [min, max] mean, as a fraction of the maximum value. Default: [0, 0].")
        .at_least(-1)
        .at_most(1);
    options
        .add(
            "noise_scale_factor", &noise_scale_factor,
            "Of gaussian: below 1, noise is drawn for an image smaller by this factor and resized, which makes coarser "
            "and weaker noise. More than 0, up to 1. Default: 1.")
        .at_least(0)
        .at_most(1);
    options.add("multiplier", &multiplier, "Of multiplicative: [min, max] factor, from 0 to 1000. Default: [0.9, 1.1].")
        .at_least(0)
        .at_most(kLargestFactor);
    options.add("elementwise", &elementwise,
                "Of multiplicative: a factor for each pixel, instead of one for the whole image. Default: false.");
    options.add("per_channel", &per_channel,
                "Of gaussian and multiplicative: different numbers for each channel, instead of the same for all. "
                "Default: true for gaussian, false for multiplicative.");
    options
        .add("scale_range", &scale_range,
             "Of poisson: [min, max] brightness that one photon adds, where 1 is white; at least 0.002. Larger values "
             "give more noise. Default: [0.1, 0.3].")
        .at_least(kSmallestScale);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    const auto has_effect = [&](bool given, const char* option, bool used, const char* modes) {
      if (given && !used)
        problems.add(option, std::string("has no effect in this mode: expected only in ").append(modes));
    };
    const bool gaussian = mode == Mode::gaussian, multiplicative = mode == Mode::multiplicative;
    has_effect(std_range.has_value(), "std_range", gaussian, "mode gaussian");
    has_effect(mean_range.has_value(), "mean_range", gaussian, "mode gaussian");
    has_effect(noise_scale_factor.has_value(), "noise_scale_factor", gaussian, "mode gaussian");
    has_effect(multiplier.has_value(), "multiplier", multiplicative, "mode multiplicative");
    has_effect(elementwise.has_value(), "elementwise", multiplicative, "mode multiplicative");
    has_effect(per_channel.has_value(), "per_channel", gaussian || multiplicative, "modes gaussian and multiplicative");
    has_effect(scale_range.has_value(), "scale_range", mode == Mode::poisson, "mode poisson");
    const auto in_order = [&](const std::optional<Range>& range, const char* option) {
      if (range && (*range)[0] > (*range)[1]) problems.add(option, "the minimum is greater than the maximum");
    };
    in_order(std_range, "std_range");
    in_order(mean_range, "mean_range");
    in_order(multiplier, "multiplier");
    in_order(scale_range, "scale_range");
    if (noise_scale_factor && !(*noise_scale_factor > 0)) problems.add("noise_scale_factor", "must be more than 0");
  }
};

double draw_from(const std::optional<Range>& range, const Range& otherwise, sectile::Random& random) {
  const Range& limits = range ? *range : otherwise;
  return random.uniform(limits[0], limits[1]);
}

float share_of(std::uint16_t level) { return (static_cast<float>(level) + 0.5f) / static_cast<float>(noise::kLevels); }

// In steps that compilers vectorize.
template <class T>
T cut_off(float value) {
  if constexpr (std::is_floating_point_v<T>) {
    return value;
  } else {
    constexpr auto kTop = static_cast<float>(std::numeric_limits<T>::max());
    value = value > 0 ? value : 0;
    value = value < kTop ? value : kTop;
    return static_cast<T>(static_cast<int>(value));
  }
}

// Calls f(T()) with the type of the values.
template <class F>
void with_type(const cv::Mat& image, F f) {
  if (image.depth() == CV_8U) return f(std::uint8_t{});
  if (image.depth() == CV_16U) return f(std::uint16_t{});
  f(float{});
}

// A new image of f(from, to), called with each slice of a volume, with all channels.
template <class F>
cv::Mat by_slice(const cv::Mat& image, F f) {
  cv::Mat made(image.dims, image.size.p, image.type());
  const auto slice = [](const cv::Mat& map, int z) {
    return map.dims == 3 ? cv::Mat(map.size[1], map.size[2], map.type(), const_cast<uchar*>(map.ptr(z)), map.step[1])
                         : map;
  };
  for (int z = 0; z < (image.dims == 3 ? image.size[0] : 1); ++z) f(slice(image, z), slice(made, z));
  return made;
}

// to = formula(from, number) for each value. numbers(y): those of a row, one per pixel, or one per value.
template <class Numbers, class Formula>
void combine(const cv::Mat& from, cv::Mat to, bool per_channel, Numbers numbers, Formula formula) {
  with_type(from, [&](auto type) {
    using T = decltype(type);
    const int channels = from.channels(), count = from.cols * channels;
    for (int y = 0; y < from.rows; ++y) {
      const float* number = numbers(y);
      const T* __restrict value = from.ptr<T>(y);
      T* __restrict result = to.ptr<T>(y);
      if (per_channel || channels == 1) {
        for (int i = 0; i < count; ++i) result[i] = cut_off<T>(formula(static_cast<float>(value[i]), number[i]));
        continue;
      }
      for (int x = 0; x < from.cols; ++x, value += channels, result += channels)
        for (int c = 0; c < channels; ++c) result[c] = cut_off<T>(formula(static_cast<float>(value[c]), number[x]));
    }
  });
}

class Noise final : public sectile::Transform {
 public:
  explicit Noise(const NoiseOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double largest = sectile::largest_value(sample, "noise");
    if (!draw.random.chance(options_.probability)) return;
    switch (options_.mode) {
      case Mode::gaussian:
        sample.image = with_gaussian(sample.image, largest, draw.random);
        return;
      case Mode::multiplicative:
        sample.image = multiplied(sample.image, draw.random);
        return;
      case Mode::poisson:
        sample.image = counted(sample.image, largest, draw.random);
    }
  }

 private:
  cv::Mat with_gaussian(const cv::Mat& image, double largest, sectile::Random& random) const {
    const auto deviation = static_cast<float>(largest * draw_from(options_.std_range, kStdRange, random));
    const auto mean = static_cast<float>(largest * draw_from(options_.mean_range, kMeanRange, random));
    const bool per_channel = options_.per_channel.value_or(true);
    const bool whole = image.depth() != CV_32F;  // of integers
    const double factor = options_.noise_scale_factor.value_or(1);
    const auto& quantiles = noise::normal_quantiles();
    noise::Levels levels(random.bits());
    const int channels = per_channel ? image.channels() : 1;
    return by_slice(image, [&](const cv::Mat& from, const cv::Mat& to) {
      cv::Mat coarse;
      if (factor < 1) coarse = noise::coarse_normal(levels, from.size(), channels, factor);
      std::vector<float> row(static_cast<std::size_t>(from.cols * channels));
      const auto numbers = [&](int y) -> const float* {
        if (coarse.empty()) {
          const std::uint16_t* level = levels.next(from.cols * channels);
          for (std::size_t i = 0; i < row.size(); ++i) row[i] = quantiles[level[i]] * deviation + mean;
        } else {
          const float* number = coarse.ptr<float>(y);
          for (std::size_t i = 0; i < row.size(); ++i) row[i] = number[i] * deviation + mean;
        }
        if (whole)
          for (float& number : row) number = static_cast<float>(static_cast<int>(number));
        return row.data();
      };
      combine(from, to, per_channel, numbers, [](float value, float number) { return value + number; });
    });
  }

  cv::Mat multiplied(const cv::Mat& image, sectile::Random& random) const {
    const auto& [least, most] = options_.multiplier ? *options_.multiplier : kMultiplier;
    const bool per_channel = options_.per_channel.value_or(false), elementwise = options_.elementwise.value_or(false);
    const int channels = per_channel ? image.channels() : 1;
    std::vector<float> whole(static_cast<std::size_t>(channels));  // factors of the whole image
    for (float& factor : whole) factor = static_cast<float>(random.uniform(least, most));
    noise::Levels levels(random.bits());
    const auto start = static_cast<float>(least), length = static_cast<float>(most - least);
    return by_slice(image, [&](const cv::Mat& from, const cv::Mat& to) {
      std::vector<float> row(static_cast<std::size_t>(from.cols * channels));
      for (std::size_t i = 0; i < row.size(); ++i) row[i] = whole[i % whole.size()];
      const auto numbers = [&](int) -> const float* {
        if (!elementwise) return row.data();
        const std::uint16_t* level = levels.next(from.cols * channels);
        std::transform(level, level + row.size(), row.begin(),
                       [=](std::uint16_t one) { return start + length * share_of(one); });
        return row.data();
      };
      combine(from, to, per_channel, numbers, [](float value, float number) { return value * number; });
    });
  }

  cv::Mat counted(const cv::Mat& image, double largest, sectile::Random& random) const {
    const double scale = draw_from(options_.scale_range, kScaleRange, random);
    noise::Levels levels(random.bits());
    // A little light everywhere, as in albumentations; more than white counts as white.
    const auto count_of = [&](double value) {
      return noise::PoissonCount(std::pow(std::clamp(value / largest, 0.0, 1.0), kGamma) / scale + 1e-6);
    };
    std::vector<double> brightness;  // by count
    for (int count = 0; brightness.empty() || brightness.back() < largest; ++count)
      brightness.push_back(largest * std::pow(std::min(count * scale, 1.0), 1 / kGamma));
    const auto as_brightness = [&](int count) {
      return brightness[std::min(static_cast<std::size_t>(count), brightness.size() - 1)];
    };
    std::vector<noise::PoissonCount> table;  // of all integers
    if (image.depth() != CV_32F)
      for (int value = 0; value <= static_cast<int>(largest); ++value) table.push_back(count_of(value));
    return by_slice(image, [&](const cv::Mat& from, cv::Mat to) {
      with_type(from, [&](auto type) {
        using T = decltype(type);
        for (int y = 0; y < from.rows; ++y) {
          const T* value = from.ptr<T>(y);
          T* result = to.ptr<T>(y);
          const std::uint16_t* level = levels.next(from.cols * from.channels());
          for (int i = 0; i < from.cols * from.channels(); ++i) {
            if constexpr (std::is_floating_point_v<T>)
              result[i] = static_cast<T>(as_brightness(count_of(value[i]).at(share_of(level[i]))));
            else
              result[i] = cv::saturate_cast<T>(as_brightness(table[value[i]].at(share_of(level[i]))));
          }
        }
      });
    });
  }

  NoiseOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Noise, NoiseOptions>("noise", "Adds random noise to the image."))
