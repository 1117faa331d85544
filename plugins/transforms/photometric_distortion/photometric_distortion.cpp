// The photometric distortion of SSD (Liu et al. 2016) as in mmsegmentation 1.2's PhotoMetricDistortion: brightness,
// contrast, saturation and hue, each with probability 1/2, where contrast is changed before or after the colors.
// Saturation and hue are changed in one pass through HSV; mmsegmentation rounds to 8-bit RGB between them. Its hue is
// never shifted by hue_delta itself, only by -hue_delta; here both are drawn.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr int kWhole = 180;  // the circle of hues in OpenCV's 8-bit HSV: steps of 2 degrees
constexpr float kDegrees = 360;
constexpr int kLargest = 255;
constexpr int kRows = 16;

using Range = std::array<double, 2>;

struct PhotometricDistortionOptions {
  double brightness_delta = 32;
  Range contrast_range = {0.5, 1.5};
  Range saturation_range = {0.5, 1.5};
  int hue_delta = 18;
  double probability = 1;

  void declare(sectile::Options& options) {
    options
        .add("brightness_delta", &brightness_delta,
             "Largest change of brightness, up or down, in steps of 1/255 of the maximum value (255 for 8 bits, 65535 "
             "for "
             "16 bits, 1 for float).")
        .at_least(0)
        .at_most(kLargest);
    options
        .add("contrast_range", &contrast_range,
             "[min, max] factor of the pixel values. It is applied before or after saturation and hue, at random.")
        .at_least(0)
        .at_most(100);
    options.add("saturation_range", &saturation_range, "[min, max] factor of the saturation.").at_least(0).at_most(100);
    options
        .add("hue_delta", &hue_delta,
             "Largest shift of the hue, in either direction, in steps of 2 degrees. Whole steps are drawn.")
        .at_least(0)
        .at_most(kWhole / 2);
    options
        .add("probability", &probability,
             "Probability of applying the transform, each of whose four changes then has a probability of 1/2.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    const auto ordered = [&](const char* name, const Range& range) {
      if (range[0] > range[1]) problems.add(name, "the minimum is greater than the maximum");
    };
    ordered("contrast_range", contrast_range);
    ordered("saturation_range", saturation_range);
  }
};

struct Distortion {
  double brightness = 0;  // of 255
  double first_contrast = 1, last_contrast = 1;
  double saturation = 1;
  int hue = 0;
};

sectile::HsvChange of_floats(const Distortion& change) {
  return {.hue_shift = static_cast<float>(change.hue) * (kDegrees / kWhole),
          .saturation_factor = static_cast<float>(change.saturation)};
}

// (x + brightness) * contrast. Integers are cut off, not rounded, after each step, as in mmsegmentation.
cv::Mat scaled_values(const cv::Mat& image, double brightness, double contrast, double white) {
  if (brightness == 0 && contrast == 1) return image;
  const auto offset = static_cast<float>(brightness / kLargest * white), factor = static_cast<float>(contrast);
  if (image.depth() == CV_32F)
    return sectile::mapped_values(image, [&](float value) { return (value + offset) * factor; });
  const auto cut = [top = static_cast<float>(white)](float value) { return std::floor(std::clamp(value, 0.f, top)); };
  return sectile::mapped_values(image, [&](float value) { return cut(cut(value + offset) * factor); });
}

void color_bytes(const cv::Mat& from, const cv::Mat& to, const Distortion& change) {
  const auto factor = static_cast<float>(change.saturation);
  cv::Mat table(1, kLargest + 1, CV_8UC3), hsv;
  for (int i = 0; i <= kLargest; ++i)
    table.at<cv::Vec3b>(0, i) =
        cv::Vec3b(static_cast<std::uint8_t>((i + change.hue + kWhole) % kWhole),
                  static_cast<std::uint8_t>(std::min(static_cast<float>(i) * factor, float{kLargest})),
                  static_cast<std::uint8_t>(i));
  const auto* entries = table.ptr<cv::Vec3b>();
  for (int y = 0; y < from.rows; y += kRows) {  // by some rows at a time, which stay in the processor's cache
    const cv::Range rows(y, std::min(y + kRows, from.rows));
    cv::cvtColor(from.rowRange(rows), hsv, cv::COLOR_RGB2HSV);
    for (auto *pixel = hsv.ptr<cv::Vec3b>(), *end = pixel + hsv.total(); pixel != end; ++pixel)  // faster than cv::LUT
      for (int c = 0; c < 2; ++c) (*pixel)[c] = entries[(*pixel)[c]][c];
    cv::Mat part = to.rowRange(rows);
    cv::cvtColor(hsv, part, cv::COLOR_HSV2RGB);
  }
}

class PhotometricDistortion final : public sectile::Transform {
 public:
  explicit PhotometricDistortion(const PhotometricDistortionOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    sectile::demand_rgb(sample, "photometric_distortion");
    const double white = sectile::largest_value(sample, "photometric_distortion");
    if (!draw.random.chance(options_.probability)) return;
    const Distortion change = drawn(draw.random);
    cv::Mat image = scaled_values(sample.image, change.brightness, change.first_contrast, white);
    if (change.saturation != 1 || change.hue != 0)
      image = sectile::in_groups(image, [&](const cv::Mat& from, cv::Mat to) {
        if (from.depth() == CV_8U)
          color_bytes(from, to, change);
        else
          sectile::change_hsv(from, to, of_floats(change), white);
      });
    sample.image = scaled_values(image, 0, change.last_contrast, white);
  }

 private:
  Distortion drawn(sectile::Random& random) const {
    const auto half = [&] { return random.chance(0.5); };
    const auto within = [&](const Range& range) { return random.uniform(range[0], range[1]); };
    Distortion change;
    if (half()) change.brightness = random.uniform(-options_.brightness_delta, options_.brightness_delta);
    double& contrast = half() ? change.first_contrast : change.last_contrast;
    if (half()) contrast = within(options_.contrast_range);
    if (half()) change.saturation = within(options_.saturation_range);
    if (half()) change.hue = static_cast<int>(random.below(2 * options_.hue_delta + 1)) - options_.hue_delta;
    return change;
  }

  PhotometricDistortionOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<PhotometricDistortion, PhotometricDistortionOptions>(
                   "photometric_distortion",
                   "Changes brightness, contrast, saturation and hue of RGB images, each with probability 1/2."))
