// Shifts hue, saturation and value (Smith 1978) at random, as albumentations' HueSaturationValue (2.0.8). 8-bit images
// get its pixels; others are computed in floating point, while albumentations rounds them to 8 bits.
#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr double kWhole = 180;  // the circle of hues in OpenCV's 8-bit HSV: steps of 2 degrees
constexpr double kDegrees = 360;
constexpr int kLargest = 255;
constexpr int kRows = 16;

using Limit = std::array<double, 2>;

struct HueSaturationOptions {
  Limit hue_shift_limit = {-20, 20};
  Limit sat_shift_limit = {-30, 30};
  Limit val_shift_limit = {-20, 20};
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("hue_shift_limit", &hue_shift_limit,
             "[min, max] shift of the hue, in steps of 2 degrees: 90 turns colors into their opposites.")
        .at_least(-kWhole)
        .at_most(kWhole);
    options
        .add("sat_shift_limit", &sat_shift_limit,
             "[min, max] shift of the saturation, which is 0 to 255 for images of all types. Gray pixels stay gray.")
        .at_least(-kLargest)
        .at_most(kLargest);
    options
        .add("val_shift_limit", &val_shift_limit,
             "[min, max] shift of the value, the largest of the three channels: in steps of 1/255 of the maximum value "
             "(255 for 8 bits, 65535 for 16 bits, 1 for float).")
        .at_least(-kLargest)
        .at_most(kLargest);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    const auto ordered = [&](const char* name, const Limit& limit) {
      if (limit[0] > limit[1]) problems.add(name, "the minimum is greater than the maximum");
    };
    ordered("hue_shift_limit", hue_shift_limit);
    ordered("sat_shift_limit", sat_shift_limit);
    ordered("val_shift_limit", val_shift_limit);
  }
};

struct Shift {
  double hue = 0, saturation = 0, value = 0;
};

// For 8-bit HSV. As in albumentations, shifts of saturation and value lose their fraction, and the shifted hue does.
struct ByteShift {
  int hue, saturation, value;

  explicit ByteShift(const Shift& shift)
      : hue(static_cast<int>(std::fmod(shift.hue, kWhole) + (std::fmod(shift.hue, kWhole) < 0 ? kWhole : 0))),
        saturation(static_cast<int>(shift.saturation)),
        value(static_cast<int>(shift.value)) {}
};

sectile::HsvChange of_floats(const Shift& shift) {
  return {.hue_shift = static_cast<float>(shift.hue * kDegrees / kWhole),
          .saturation_shift = static_cast<float>(shift.saturation / kLargest),
          .value_shift = static_cast<float>(shift.value / kLargest)};
}

#define SECTILE_INLINE __attribute__((always_inline)) inline

// To the nearest integer, in a form that compilers vectorize: adding 1.5 * 2^23 leaves the integer in the low bits.
SECTILE_INLINE int rounded(float value) {
  constexpr float kRounder = 12582912.f;
  return std::bit_cast<int>(value + kRounder) - std::bit_cast<int>(kRounder);
}

SECTILE_INLINE int to_byte(int value) {
  value = value < 0 ? 0 : value;
  return value > kLargest ? kLargest : value;
}

// Planes of red, green and blue become those of the shifted hue, saturation and value, with the arithmetic of OpenCV's
// 8-bit HSV: 12 bits of fraction.
SECTILE_INLINE void shift_values(const ByteShift& shift, std::size_t count, std::uint8_t* __restrict first,
                                 std::uint8_t* __restrict second, std::uint8_t* __restrict third) {
  constexpr int kBits = 12, kHalf = 1 << (kBits - 1), kTurn = static_cast<int>(kWhole);
  constexpr float kOfSaturation = kLargest << kBits, kOfHue = (kTurn << kBits) / 6;
  const int hue_shift = shift.hue, saturation_shift = shift.saturation, value_shift = shift.value;
  for (std::size_t i = 0; i < count; ++i) {
    const int red = first[i], green = second[i], blue = third[i];
    int value = red > green ? red : green, least = red < green ? red : green;
    value = value > blue ? value : blue;
    least = least < blue ? least : blue;
    const int range = value - least;  // where it is 0, what is divided by it is multiplied by 0
    int saturation = (range * rounded(kOfSaturation / static_cast<float>(value)) + kHalf) >> kBits;
    const int if_green = blue - red + 2 * range, if_blue = red - green + 4 * range, if_red = green - blue;
    int hue = value == green ? if_green : if_blue;
    hue = value == red ? if_red : hue;
    hue = (hue * rounded(kOfHue / static_cast<float>(range)) + kHalf) >> kBits;
    hue = (hue < 0 ? hue + kTurn : hue) + hue_shift;
    const int shifted = to_byte(saturation + saturation_shift);
    saturation = saturation > 0 ? shifted : 0;  // grey stays grey
    first[i] = static_cast<std::uint8_t>(hue >= kTurn ? hue - kTurn : hue);
    second[i] = static_cast<std::uint8_t>(saturation);
    third[i] = static_cast<std::uint8_t>(to_byte(value + value_shift));
  }
}

void shift_with_any(const ByteShift& shift, std::size_t count, std::uint8_t* one, std::uint8_t* two,
                    std::uint8_t* three) {
  shift_values(shift, count, one, two, three);
}
#if defined(__x86_64__)
__attribute__((target("avx2"))) void shift_with_avx2(const ByteShift& shift, std::size_t count, std::uint8_t* one,
                                                     std::uint8_t* two, std::uint8_t* three) {
  shift_values(shift, count, one, two, three);
}
#endif

auto best_shift() {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2")) return shift_with_avx2;
#endif
  return shift_with_any;
}

// By some rows at a time, which stay in the processor's cache.
void shift_bytes(const cv::Mat& from, const cv::Mat& to, const ByteShift& shift) {
  std::vector<cv::Mat> planes;
  cv::Mat hsv;
  for (int y = 0; y < from.rows; y += kRows) {
    const cv::Range rows(y, std::min(y + kRows, from.rows));
    cv::split(from.rowRange(rows), planes);
    best_shift()(shift, planes[0].total(), planes[0].data, planes[1].data, planes[2].data);
    cv::merge(planes, hsv);
    cv::Mat part = to.rowRange(rows);
    cv::cvtColor(hsv, part, cv::COLOR_HSV2RGB);
  }
}

class HueSaturation final : public sectile::Transform {
 public:
  explicit HueSaturation(const HueSaturationOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    sectile::demand_rgb(sample, "hue_saturation");
    const double white = sectile::largest_value(sample, "hue_saturation");
    if (!draw.random.chance(options_.probability)) return;
    const auto drawn = [&](const Limit& limit) { return draw.random.uniform(limit[0], limit[1]); };
    Shift shift;
    shift.hue = drawn(options_.hue_shift_limit);
    shift.saturation = drawn(options_.sat_shift_limit);
    shift.value = drawn(options_.val_shift_limit);
    if (shift.hue == 0 && shift.saturation == 0 && shift.value == 0) return;  // spares the rounding of HSV
    const bool bytes = sample.image.depth() == CV_8U;
    sample.image = sectile::in_groups(sample.image, [&](const cv::Mat& from, cv::Mat to) {
      if (bytes)
        shift_bytes(from, to, ByteShift(shift));
      else
        sectile::change_hsv(from, to, of_floats(shift), white);
    });
  }

 private:
  HueSaturationOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<HueSaturation, HueSaturationOptions>(
                            "hue_saturation", "Shifts hue, saturation and value of RGB images at random."))
