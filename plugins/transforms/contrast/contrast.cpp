// Random contrast around the mean, as ContrastTransform of nnU-Net (batchgeneratorsv2; Isensee et al. 2021). Without
// preserve_range it is what nnU-Net's MultiplicativeBrightnessTransform is for images whose mean was subtracted before.
#include <algorithm>
#include <array>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace {

struct ContrastOptions {
  std::array<double, 2> contrast_range = {0.75, 1.25};
  bool preserve_range = true;
  bool per_channel = true;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("contrast_range", &contrast_range,
             "[min, max] factor of the differences to the mean of each channel. In a range around 1, half of the "
             "factors are below 1 and half above, uniformly distributed on both sides.")
        .at_least(0)
        .at_most(100);
    options.add("preserve_range", &preserve_range,
                "Clip each channel to the minimum and maximum that it had. If false, integers are clipped to the range "
                "of their type.");
    options.add("per_channel", &per_channel, "Draw a factor for each channel, instead of one for all.");
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (contrast_range[0] > contrast_range[1])
      problems.add("contrast_range", "the minimum is greater than the maximum");
  }
};

class Contrast final : public sectile::Transform {
 public:
  explicit Contrast(const ContrastOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability) || sample.image.empty()) return;
    std::vector<cv::Mat> channels(static_cast<std::size_t>(sample.image.channels()));
    double factor = drawn_factor(draw.random);
    for (std::size_t i = 0; i < channels.size(); ++i) {
      if (i > 0 && options_.per_channel) factor = drawn_factor(draw.random);
      cv::extractChannel(sample.image, channels[i], static_cast<int>(i));
      change(channels[i], factor);
    }
    cv::Mat merged;
    cv::merge(channels, merged);
    sample.image = merged;
  }

 private:
  double drawn_factor(sectile::Random& random) const {
    const auto [least, most] = options_.contrast_range;
    if (least >= 1 || most <= 1) return random.uniform(least, most);
    return random.chance(0.5) ? random.uniform(least, 1) : random.uniform(1, most);
  }

  void change(cv::Mat& channel, double factor) const {
    const double mean = cv::mean(channel)[0];
    double least = 0, most = 0;
    cv::minMaxIdx(channel, &least, &most);
    channel.convertTo(channel, -1, factor, mean * (1 - factor));
    if (!options_.preserve_range || factor <= 1) return;  // a smaller contrast stays within the range
    cv::max(channel, least, channel);
    cv::min(channel, most, channel);
  }

  ContrastOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Contrast, ContrastOptions>(
                            "contrast", "Changes contrast at random, around the mean of each channel."))
