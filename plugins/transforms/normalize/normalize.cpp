// Stores mean and deviation in the sample. Pixels keep their type; both are applied once, when the batch is made.
#include <optional>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace {

struct NormalizeOptions {
  std::vector<double> mean;
  std::vector<double> deviation;
  std::optional<double> max_value;

  void declare(sectile::Options& options) {
    options.add("mean", &mean,
                "Mean per channel (or one value for all), as a fraction of max_value. Default: ImageNet's [0.485, "
                "0.456, 0.406] for three channels, which published weights expect; else 0.449.");
    options.add("deviation", &deviation,
                "Standard deviation per channel (or one value for all), as a fraction of max_value. Default: [0.229, "
                "0.224, 0.225] for three channels; else 0.226.");
    options
        .add("max_value", &max_value,
             "Pixel value that is scaled to 1. Default: 255 for 8-bit images, 65535 for 16-bit images, 1 for float, "
             "which is "
             "refused if there are values above 2.")
        .at_least(0);
  }
  void check(sectile::Problems& problems) const {
    if (!mean.empty() && !deviation.empty() && mean.size() != deviation.size() && mean.size() != 1 &&
        deviation.size() != 1)
      problems.add("deviation",
                   "has " + std::to_string(deviation.size()) + " values, and mean " + std::to_string(mean.size()));
    for (const double value : deviation)
      if (!(value > 0)) problems.add("deviation", "must be more than 0: pixels are divided by it");
    if (max_value && !(*max_value > 0)) problems.add("max_value", "must be more than 0");
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

class Normalize final : public sectile::Transform {
 public:
  explicit Normalize(const NormalizeOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    if (!sample.mean.empty())
      throw sectile::DataError(sample.id, "is normalized already: remove one of the \"normalize\" from its transforms");
    const double unit = options_.max_value ? *options_.max_value : largest(sample);
    const bool color = sample.image.channels() == 3;
    sample.mean = values(sample, "mean", options_.mean,
                         color ? std::vector<double>{0.485, 0.456, 0.406} : std::vector<double>{0.449}, unit);
    sample.deviation = values(sample, "deviation", options_.deviation,
                              color ? std::vector<double>{0.229, 0.224, 0.225} : std::vector<double>{0.226}, unit);
  }

 private:
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
