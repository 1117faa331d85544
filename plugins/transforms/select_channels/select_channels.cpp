// Selects channels of an image and their order: bands of multispectral images, or BGR from RGB.
#include <algorithm>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transform.h>

namespace {

constexpr int kMostChannels = 512;

struct SelectChannelsOptions {
  std::vector<int> channels;

  void declare(sectile::Options& options) {
    options
        .add("channels", &channels,
             "Channels to keep, counted from 0, in their new order: [2, 1, 0] turns RGB into BGR, and [3, 0, 1] keeps "
             "three of four bands. A channel may come more than once. Default: all.")
        .at_least(0)
        .at_most(kMostChannels - 1);
  }
  void check(sectile::Problems& problems) const {
    if (channels.size() > static_cast<std::size_t>(kMostChannels))
      problems.add("channels", "has " + std::to_string(channels.size()) + " values; expected up to 512");
  }
};

std::vector<float> selected(const std::vector<float>& values, const std::vector<int>& channels) {
  if (values.size() <= 1) return values;
  std::vector<float> result;
  for (const int channel : channels) result.push_back(values[static_cast<std::size_t>(channel)]);
  return result;
}

class SelectChannels final : public sectile::Transform {
 public:
  explicit SelectChannels(const SelectChannelsOptions& options) : channels_(options.channels) {}

  void apply(sectile::Sample& sample, sectile::Draw&) const override {
    if (channels_.empty() || sample.image.empty()) return;  // only the annotation was read
    const int count = sample.image.channels();
    const int last = *std::max_element(channels_.begin(), channels_.end());
    if (last >= count)
      throw sectile::DataError(sample.id, "has " + std::to_string(count) +
                                              " channels, and select_channels' \"channels\" names channel " +
                                              std::to_string(last) + ", counted from 0");
    std::vector<int> pairs;  // from, to
    for (std::size_t to = 0; to < channels_.size(); ++to)
      pairs.insert(pairs.end(), {channels_[to], static_cast<int>(to)});
    cv::Mat image(sample.image.dims, sample.image.size.p,
                  CV_MAKETYPE(sample.image.depth(), static_cast<int>(channels_.size())));
    cv::mixChannels(std::vector<cv::Mat>{sample.image}, std::vector<cv::Mat>{image}, pairs);
    sample.image = image;
    sample.mean = selected(sample.mean, channels_);
    sample.deviation = selected(sample.deviation, channels_);
  }

 private:
  std::vector<int> channels_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<SelectChannels, SelectChannelsOptions>(
                            "select_channels", "Selects channels of the image and their order."))
