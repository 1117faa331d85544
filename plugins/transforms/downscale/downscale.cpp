// Simulated low resolution: the image is made smaller and enlarged again. With the parameters of albumentations'
// Downscale, and those that SimulateLowResolutionTransform of nnU-Net has beside (Isensee et al. 2021).
#include <algorithm>
#include <array>
#include <vector>

#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/transform.h>
#include <sectile/transforms/pixel_values.h>

namespace {

enum class Filter { nearest, nearest_exact, linear, cubic, area, lanczos };

struct DownscaleOptions {
  struct Pair {
    Filter downscale = Filter::nearest;
    Filter upscale = Filter::nearest;

    void declare(sectile::Options& options) {
      options
          .add("downscale", &downscale,
               "Interpolation that makes the image smaller, of OpenCV: nearest, nearest_exact (by the centers of "
               "pixels, as PyTorch's nearest-exact), linear, cubic, area or lanczos.")
          .one_of({"nearest", "nearest_exact", "linear", "cubic", "area", "lanczos"});
      options.add("upscale", &upscale, "Interpolation that enlarges it again; the same choices.")
          .one_of({"nearest", "nearest_exact", "linear", "cubic", "area", "lanczos"});
    }
  };
  std::array<double, 2> scale_range = {0.25, 0.25};
  Pair interpolation_pair;
  bool per_channel = false;
  double channel_probability = 1;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("scale_range", &scale_range,
             "[min, max] size of the small image, as a fraction of height and width, uniformly distributed.")
        .at_least(0)
        .at_most(1);
    options.add("interpolation_pair", &interpolation_pair, "Interpolations of OpenCV.");
    options.add("per_channel", &per_channel,
                "Draw a scale for each channel, as nnU-Net does for images of several modalities.");
    options
        .add("channel_probability", &channel_probability,
             "With per_channel, the probability of changing a channel; nnU-Net's is 0.5.")
        .at_least(0)
        .at_most(1);
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (scale_range[0] > scale_range[1]) problems.add("scale_range", "the minimum is greater than the maximum");
    if (!per_channel && channel_probability < 1)
      problems.add("channel_probability", "has no effect unless \"per_channel\" is true: set it, or remove this");
  }
};

int flag(Filter filter) {
  constexpr int kFlags[] = {cv::INTER_NEAREST, cv::INTER_NEAREST_EXACT, cv::INTER_LINEAR,
                            cv::INTER_CUBIC,   cv::INTER_AREA,          cv::INTER_LANCZOS4};
  return kFlags[static_cast<std::size_t>(filter)];
}

// OpenCV samples at multiples of 1 / scale, and not of the ratio of the rounded sizes, if it gets the scale: so do
// albumentations' pixels.
cv::Mat smaller(const cv::Mat& image, double scale, Filter filter) {
  cv::Mat small;
  const bool vanishes = cvRound(image.cols * scale) < 1 || cvRound(image.rows * scale) < 1;
  const cv::Size least(std::max(1, cvRound(image.cols * scale)), std::max(1, cvRound(image.rows * scale)));
  if (vanishes)
    cv::resize(image, small, least, 0, 0, flag(filter));
  else
    cv::resize(image, small, {}, scale, scale, flag(filter));
  return small;
}

class Downscale final : public sectile::Transform {
 public:
  explicit Downscale(const DownscaleOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability) || sample.image.empty()) return;
    if (!options_.per_channel) {
      sample.image = coarsened(sample.image, drawn_scale(draw));
      return;
    }
    std::vector<cv::Mat> channels(static_cast<std::size_t>(sample.image.channels()));
    bool changed = false;
    for (std::size_t i = 0; i < channels.size(); ++i) {
      cv::extractChannel(sample.image, channels[i], static_cast<int>(i));
      if (!draw.random.chance(options_.channel_probability)) continue;
      channels[i] = coarsened(channels[i], drawn_scale(draw));
      changed = true;
    }
    if (!changed) return;
    cv::Mat merged;
    cv::merge(channels, merged);
    sample.image = merged;
  }

 private:
  double drawn_scale(sectile::Draw& draw) const {
    return draw.random.uniform(options_.scale_range[0], options_.scale_range[1]);
  }

  cv::Mat coarsened(const cv::Mat& image, double scale) const {
    const auto& [down, up] = options_.interpolation_pair;
    return sectile::in_groups(image, [&, down = down, up = up](const cv::Mat& from, cv::Mat& to) {
      cv::resize(smaller(from, scale, down), to, from.size(), 0, 0, flag(up));
    });
  }

  DownscaleOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Downscale, DownscaleOptions>(
                            "downscale", "Lowers the resolution: makes the image smaller and enlarges it again."))
