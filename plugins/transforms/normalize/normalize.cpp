// Stores mean and deviation in the sample. Pixels keep their type; both are applied once, when the batch is made. The
// methods that measure the image are those of albumentations' Normalize (2.0.8); percentile is TorchIO's
// RescaleIntensity, and ct_clip nnU-Net's CTNormalization (Isensee et al. 2021).
#include <initializer_list>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transforms/nested.h>

#include "measured.h"

namespace {

enum class Method {
  standard,
  image,
  image_per_channel,
  min_max,
  min_max_per_channel,
  percentile,
  percentile_per_channel,
  ct_clip
};

const std::initializer_list<const char*> kMethods{
    "standard", "image", "image_per_channel", "min_max", "min_max_per_channel", "percentile", "percentile_per_channel",
    "ct_clip"};

struct NormalizeOptions {
  Method method = Method::standard;
  std::vector<double> mean;
  std::vector<double> deviation;
  std::optional<double> max_value;
  std::optional<double> lower_percentile;
  std::optional<double> upper_percentile;
  std::vector<double> clip;

  void declare(sectile::Options& options) {
    options
        .add("method", &method,
             "Where mean and deviation come from. standard: from the options below. image: from the image itself, as "
             "it is "
             "here in the list of transforms, so that its pixels get mean 0 and standard deviation 1 (z-score). "
             "min_max: "
             "its smallest value becomes 0 and its largest 1. percentile: the same for two percentiles, to which its "
             "pixels "
             "are clipped. With _per_channel, each channel by itself. ct_clip: pixels are clipped to fixed values, "
             "then mean "
             "and deviation are from the options below, as nnU-Net normalizes CT.")
        .one_of(kMethods);
    options.add(
        "mean", &mean,
        "Mean per channel (or one value for all), as a fraction of max_value, or for ct_clip a pixel value. Default: "
        "ImageNet's [0.485, 0.456, 0.406] for three channels, which published weights expect; else 0.449.");
    options.add(
        "deviation", &deviation,
        "Standard deviation per channel (or one value for all), as a fraction of max_value, or for ct_clip in pixel "
        "values. Default: [0.229, 0.224, 0.225] for three channels; else 0.226.");
    options
        .add("max_value", &max_value,
             "Pixel value that is scaled to 1. Default: 255 for 8-bit images, 65535 for 16-bit images, 1 for float, "
             "which is "
             "refused if there are values above 2.")
        .at_least(0);
    options
        .add("lower_percentile", &lower_percentile,
             "Percentage of the pixels below the value that becomes 0, with method percentile. Default: 0.5.")
        .at_least(0)
        .at_most(100);
    options
        .add("upper_percentile", &upper_percentile,
             "Percentage of the pixels below the value that becomes 1, with method percentile. Default: 99.5.")
        .at_least(0)
        .at_most(100);
    options.add(
        "clip", &clip,
        "[min, max] pixel values, with method ct_clip: such as the 0.5 and 99.5 percentiles of the foreground of all "
        "training images. Rounded to whole values for images of integers.");
  }

  void check(sectile::Problems& problems) const {
    if (!mean.empty() && !deviation.empty() && mean.size() != deviation.size() && mean.size() != 1 &&
        deviation.size() != 1)
      problems.add("deviation",
                   "has " + std::to_string(deviation.size()) + " values, and mean " + std::to_string(mean.size()));
    for (const double value : deviation)
      if (!(value > 0)) problems.add("deviation", "must be more than 0: pixels are divided by it");
    if (max_value && !(*max_value > 0)) problems.add("max_value", "must be more than 0");
    check_use(problems);
    if (lower() >= upper())
      problems.add(upper_percentile ? "upper_percentile" : "lower_percentile",
                   "the lower percentile is not less than the upper one");
    if (method != Method::ct_clip) return;
    if (clip.size() != 2)
      problems.add("clip", "has " + std::to_string(clip.size()) + " values; method \"ct_clip\" expected [min, max]");
    else if (!(clip[0] < clip[1]))
      problems.add("clip", "the minimum is not less than the maximum");
    if (mean.empty()) problems.add("mean", "is missing, which method \"ct_clip\" expected: that of the clipped pixels");
    if (deviation.empty())
      problems.add("deviation", "is missing, which method \"ct_clip\" expected: that of the clipped pixels");
  }

  double lower() const { return lower_percentile.value_or(0.5); }  // as in nnU-Net
  double upper() const { return upper_percentile.value_or(99.5); }

 private:
  // Options of other methods would have no effect.
  void check_use(sectile::Problems& problems) const {
    const bool standard = method == Method::standard, ct = method == Method::ct_clip;
    const bool percentile = method == Method::percentile || method == Method::percentile_per_channel;
    const auto only = [&](const char* option, bool set, bool used, const char* methods) {
      if (set && !used)
        problems.add(option,
                     std::string("has no effect with this method: remove it, or set \"method\" to ").append(methods));
    };
    only("mean", !mean.empty(), standard || ct, "\"standard\" or \"ct_clip\"");
    only("deviation", !deviation.empty(), standard || ct, "\"standard\" or \"ct_clip\"");
    only("max_value", max_value.has_value(), standard, "\"standard\"");
    only("lower_percentile", lower_percentile.has_value(), percentile, "\"percentile\" or \"percentile_per_channel\"");
    only("upper_percentile", upper_percentile.has_value(), percentile, "\"percentile\" or \"percentile_per_channel\"");
    only("clip", !clip.empty(), ct, "\"ct_clip\"");
  }
};

constexpr double kMostOfFloat = 2;  // of images from 0 to 1, with what resampling and contrast add

double largest(const sectile::Sample& sample) {
  switch (sample.image.depth()) {
    case CV_8U:
      return 255;
    case CV_16U:
      return 65535;
    case CV_32F: {
      double most = 0;
      cv::minMaxIdx(sample.image.reshape(1), nullptr, &most);
      if (most > kMostOfFloat)
        throw sectile::DataError(sample.id, "has floating point values of up to " + std::to_string(most) +
                                                ", of which 1 would be taken as white: set normalize's \"max_value\"");
      return 1;
    }
    default:
      throw sectile::DataError(sample.id, "is " + cv::typeToString(sample.image.type()) +
                                              ", whose range is unknown: set normalize's \"max_value\"");
  }
}

class Normalize final : public sectile::Transform, public sectile::HasEffects {
 public:
  explicit Normalize(const NormalizeOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    if (!sample.mean.empty())
      throw sectile::DataError(sample.id, "is normalized already: remove one of the \"normalize\" from its transforms");
    switch (options_.method) {
      case Method::standard:
        set_given(sample, options_.max_value ? *options_.max_value : largest(sample));
        break;
      case Method::ct_clip:
        if (sample.image.empty()) break;  // only the annotation was read
        sample.image = normalize::clipped(sample.image, options_.clip[0], options_.clip[1]);
        set_given(sample, 1);
        break;
      default:
        if (!sample.image.empty()) set_measured(sample);
    }
  }

  sectile::Effects effects() const override {
    sectile::Effects own;
    own.normalizing = {""};
    own.clips = options_.clip;
    if (is({Method::standard, Method::ct_clip})) return own;
    own.measures = kMethods.begin()[static_cast<std::size_t>(options_.method)];
    if (is({Method::percentile, Method::percentile_per_channel}))
      own.measures.append(" ")
          .append(std::to_string(options_.lower()))
          .append(" to ")
          .append(std::to_string(options_.upper()));
    return own;
  }

 private:
  void set_given(sectile::Sample& sample, double unit) const {
    const bool color = sample.image.channels() == 3;
    sample.mean = values(sample, "mean", options_.mean,
                         color ? std::vector<double>{0.485, 0.456, 0.406} : std::vector<double>{0.449}, unit);
    sample.deviation = values(sample, "deviation", options_.deviation,
                              color ? std::vector<double>{0.229, 0.224, 0.225} : std::vector<double>{0.226}, unit);
  }

  void set_measured(sectile::Sample& sample) const {
    const auto& image = sample.image;
    if (image.depth() == CV_32F && !cv::checkRange(image.reshape(1)))
      throw sectile::DataError(sample.id,
                               "has pixels that are not finite (NaN or Inf), so that normalize cannot measure it: "
                               "expected finite ones");
    const bool each = is({Method::image_per_channel, Method::min_max_per_channel, Method::percentile_per_channel}) &&
                      image.channels() > 1;
    const bool clips = is({Method::percentile, Method::percentile_per_channel});
    auto parts = each ? normalize::channels_of(image) : std::vector<cv::Mat>{image.reshape(1)};
    std::vector<normalize::Scale> scales;
    for (auto& part : parts) scales.push_back(scale_of(part));
    scales.resize(static_cast<std::size_t>(image.channels()), normalize::Scale(scales.front()));
    for (const auto& [mean, deviation] : scales) {
      sample.mean.push_back(static_cast<float>(mean));
      sample.deviation.push_back(static_cast<float>(deviation));
    }
    if (!clips) return;
    cv::Mat joined;
    if (each)
      cv::merge(parts, joined);
    else
      joined = parts[0].reshape(image.channels());
    sample.image = joined;
  }

  // part: one channel. Percentiles replace it by clipped pixels.
  normalize::Scale scale_of(cv::Mat& part) const {
    if (is({Method::image, Method::image_per_channel})) return normalize::standard_scale(part);
    if (is({Method::min_max, Method::min_max_per_channel})) return normalize::min_max_scale(part);
    const auto limits = normalize::percentiles(part, options_.lower(), options_.upper());
    part = normalize::clipped(part, limits[0], limits[1]);
    return normalize::min_max_scale(part);
  }

  bool is(std::initializer_list<Method> methods) const {
    for (const Method method : methods)
      if (method == options_.method) return true;
    return false;
  }

  static std::vector<float> values(const sectile::Sample& sample, const char* name, const std::vector<double>& given,
                                   const std::vector<double>& otherwise, double unit) {
    const auto& chosen = given.empty() ? otherwise : given;
    const auto channels = static_cast<std::size_t>(sample.image.channels());
    if (chosen.size() != channels && chosen.size() != 1)
      throw sectile::DataError(sample.id, "has " + std::to_string(channels) + " channels, and normalize's \"" + name +
                                              "\" " + std::to_string(chosen.size()) +
                                              " values: give one for all, or one for each, or turn the images into "
                                              "as many channels");
    std::vector<float> scaled;
    for (std::size_t i = 0; i < channels; ++i)
      scaled.push_back(static_cast<float>(chosen[chosen.size() == 1 ? 0 : i] * unit));
    return scaled;
  }

  NormalizeOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Normalize, NormalizeOptions>(
                            "normalize", "Subtracts a mean and divides by a deviation, once, while a batch is made."))
