// Shifts hue, saturation and value (Smith 1978) at random, as albumentations' HueSaturationValue (2.0.8). 8-bit images
// get its pixels; others are computed in floating point, while albumentations rounds them to 8 bits.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>

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

// What is added to the values of the three channels of 8-bit HSV: one number below a value, and another from it on. For
// as many values as compilers make whole vectors of. As in albumentations, shifts of saturation and value lose their
// fraction, and the shifted hue does.
struct Addends {
  static constexpr std::size_t kCount = 96;
  std::array<std::int16_t, kCount> limit{}, below{}, from{};

  explicit Addends(const Shift& shift) {
    double turned = std::fmod(shift.hue, kWhole);
    if (turned < 0) turned += kWhole;
    const auto hue = static_cast<std::int16_t>(turned), whole = static_cast<std::int16_t>(kWhole);
    const auto saturation = static_cast<std::int16_t>(shift.saturation), value = static_cast<std::int16_t>(shift.value);
    for (std::size_t i = 0; i < kCount; i += 3) {
      limit[i] = static_cast<std::int16_t>(whole - hue), below[i] = hue,
      from[i] = static_cast<std::int16_t>(hue - whole);
      limit[i + 1] = 1, from[i + 1] = saturation;  // grey stays grey
      below[i + 2] = from[i + 2] = value;
    }
  }

  void add(std::uint8_t* __restrict values, std::size_t count) const {
    const std::int16_t *limits = limit.data(), *lower = below.data(), *upper = from.data();
    for (std::size_t i = 0; i < count; ++i) {
      const std::int16_t old = values[i], high = upper[i], low = lower[i];
      auto sum = static_cast<std::int16_t>(old + (old >= limits[i] ? high : low));
      sum = sum < 0 ? std::int16_t{0} : sum;
      values[i] = static_cast<std::uint8_t>(sum > kLargest ? std::int16_t{kLargest} : sum);
    }
  }
};

// By some rows at a time, which stay in the processor's cache.
void shift_bytes(const cv::Mat& image, const cv::Mat& to, const Addends& addends) {
  cv::Mat hsv;
  for (int y = 0; y < image.rows; y += kRows) {
    const cv::Range rows(y, std::min(y + kRows, image.rows));
    cv::cvtColor(image.rowRange(rows), hsv, cv::COLOR_RGB2HSV);
    const std::size_t count = hsv.total() * 3;
    std::size_t i = 0;
    for (; i + Addends::kCount <= count; i += Addends::kCount) addends.add(hsv.data + i, Addends::kCount);
    addends.add(hsv.data + i, count - i);
    cv::Mat part = to.rowRange(rows);
    cv::cvtColor(hsv, part, cv::COLOR_HSV2RGB);
  }
}

// 16U and 32F. OpenCV's HSV of float images: hue in degrees, saturation 0 to 1, value as the pixels. Value is not
// clipped to 1, since float images may go beyond; below 0, there are no colors.
void shift_floats(const cv::Mat& from, cv::Mat to, const Shift& shift, double white) {
  const auto hue = static_cast<float>(shift.hue * kDegrees / kWhole);
  const auto saturation = static_cast<float>(shift.saturation / kLargest);
  const auto value = static_cast<float>(shift.value / kLargest);
  constexpr auto kTurn = static_cast<float>(kDegrees);
  cv::Mat scaled, hsv;
  from.convertTo(scaled, CV_32F, 1 / white);
  cv::cvtColor(scaled, hsv, cv::COLOR_RGB2HSV);
  for (int y = 0; y < hsv.rows; ++y) {
    auto* pixel = hsv.ptr<cv::Vec3f>(y);
    for (int x = 0; x < hsv.cols; ++x) {
      auto& [h, s, v] = pixel[x].val;
      h += hue;
      if (h < 0) h += kTurn;
      if (h >= kTurn) h -= kTurn;
      if (s > 0) s = std::clamp(s + saturation, 0.f, 1.f);
      v = std::max(v + value, 0.f);
    }
  }
  cv::cvtColor(hsv, scaled, cv::COLOR_HSV2RGB);
  scaled.convertTo(to, to.depth(), white);
}

class HueSaturation final : public sectile::Transform {
 public:
  explicit HueSaturation(const HueSaturationOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability)) return;
    const auto drawn = [&](const Limit& limit) { return draw.random.uniform(limit[0], limit[1]); };
    Shift shift;
    shift.hue = drawn(options_.hue_shift_limit);
    shift.saturation = drawn(options_.sat_shift_limit);
    shift.value = drawn(options_.val_shift_limit);
    if (sample.image.empty()) return;  // only the annotation was read
    sectile::demand_rgb(sample, "hue_saturation");
    const double white = sectile::largest_value(sample, "hue_saturation");
    if (shift.hue == 0 && shift.saturation == 0 && shift.value == 0) return;  // spares the rounding of HSV
    const bool bytes = sample.image.depth() == CV_8U;
    const Addends addends(shift);
    sample.image = sectile::in_groups(sample.image, [&](const cv::Mat& from, cv::Mat to) {
      if (bytes)
        shift_bytes(from, to, addends);
      else
        shift_floats(from, to, shift, white);
    });
  }

 private:
  HueSaturationOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<HueSaturation, HueSaturationOptions>(
                            "hue_saturation", "Shifts hue, saturation and value of RGB images at random."))
