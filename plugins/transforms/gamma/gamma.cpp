// Random gamma correction with the formula of albumentations' RandomGamma (2.0.8): (x / white)^gamma * white.
#include <algorithm>
#include <array>
#include <cmath>

#include <opencv2/core.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

constexpr double kPercent = 100;

struct GammaOptions {
  std::array<double, 2> gamma_limit = {80, 120};
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("gamma_limit", &gamma_limit,
             "[min, max] gamma in percent, drawn uniformly: 80 makes images brighter, 120 darker, 100 changes nothing.")
        .at_least(1)
        .at_most(10000);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (gamma_limit[0] > gamma_limit[1]) problems.add("gamma_limit", "the minimum is greater than the maximum");
  }
};

// Integers are cut off, not rounded, as in albumentations; white stays white.
cv::Mat integers_raised(const cv::Mat& image, double gamma, double white) {
  const double step = 1 / white;
  return sectile::mapped_values(image, [&](float value) {
    return value >= white ? value : static_cast<float>(std::floor(std::pow(value * step, gamma) * white));
  });
}

// Negative values, which have no power, become 0. Values above 1 are not clipped.
cv::Mat floats_raised(const cv::Mat& image, double gamma) {
  const auto exponent = static_cast<float>(gamma);
  return sectile::mapped_values(image, [&](float value) { return std::pow(std::max(value, 0.f), exponent); });
}

class Gamma final : public sectile::Transform {
 public:
  explicit Gamma(const GammaOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (sample.image.empty()) return;  // only the annotation was read
    // Before chance is asked, so that what cannot be taken is refused at the first sample.
    const double white = sectile::largest_value(sample, "gamma");
    if (!draw.random.chance(options_.probability)) return;
    const double gamma = draw.random.uniform(options_.gamma_limit[0], options_.gamma_limit[1]) / kPercent;
    if (gamma == 1) return;
    sample.image = sample.image.depth() == CV_32F ? floats_raised(sample.image, gamma)
                                                  : integers_raised(sample.image, gamma, white);
  }

 private:
  GammaOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Gamma, GammaOptions>("gamma",
                                                                "Makes images brighter or darker by a random "
                                                                "gamma curve; black and white stay."))
