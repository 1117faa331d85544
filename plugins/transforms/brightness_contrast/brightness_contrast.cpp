// Random brightness and contrast with the formula of albumentations' RandomBrightnessContrast: x * alpha + beta.
#include <array>
#include <cmath>

#include <opencv2/core.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

struct BrightnessContrastOptions {
  std::array<double, 2> brightness_limit = {-0.2, 0.2};
  std::array<double, 2> contrast_limit = {-0.2, 0.2};
  bool brightness_by_max = true;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("brightness_limit", &brightness_limit,
             "[min, max] brightness change, as a fraction of the maximum value (255 for 8 bits, 65535 for 16 bits, 1 "
             "for float).")
        .at_least(-1)
        .at_most(1);
    options.add("contrast_limit", &contrast_limit, "[min, max] contrast change: -0.2 multiplies pixel values by 0.8.")
        .at_least(-1)
        .at_most(100);
    options.add("brightness_by_max", &brightness_by_max,
                "If false, brightness changes are relative to the image's mean instead of the maximum value.");
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (brightness_limit[0] > brightness_limit[1])
      problems.add("brightness_limit", "the minimum is greater than the maximum");
    if (contrast_limit[0] > contrast_limit[1])
      problems.add("contrast_limit", "the minimum is greater than the maximum");
  }
};

// Integers are truncated, not rounded, and clipped to their range, as in albumentations.
cv::Mat adjusted_integers(const cv::Mat& image, float alpha, float beta) {
  return sectile::mapped_values(image, [=](float value) { return std::trunc(value * alpha + beta); });
}

void adjust_float(cv::Mat& image, double alpha, double beta) {  // the range is unknown: not clipped
  cv::Mat adjusted;
  image.convertTo(adjusted, -1, alpha, beta);
  image = adjusted;
}

double mean(const cv::Mat& image) {
  const cv::Mat whole = image.isContinuous() ? image : image.clone();
  return cv::mean(cv::Mat(1, static_cast<int>(whole.total()) * whole.channels(), whole.depth(), whole.data))[0];
}

class BrightnessContrast final : public sectile::Transform {
 public:
  explicit BrightnessContrast(const BrightnessContrastOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double top = sectile::largest_value(sample, "brightness_contrast");
    if (!draw.random.chance(options_.probability)) return;
    const auto& contrast = options_.contrast_limit;
    const auto& brightness = options_.brightness_limit;
    const double alpha = 1 + draw.random.uniform(contrast[0], contrast[1]);
    const double share = draw.random.uniform(brightness[0], brightness[1]);
    const double beta = share * (options_.brightness_by_max ? top : mean(sample.image));
    if (sample.image.depth() == CV_32F)
      adjust_float(sample.image, alpha, beta);
    else
      sample.image = adjusted_integers(sample.image, static_cast<float>(alpha), static_cast<float>(beta));
  }

 private:
  BrightnessContrastOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<BrightnessContrast, BrightnessContrastOptions>(
                            "brightness_contrast", "Changes brightness and contrast at random."))
