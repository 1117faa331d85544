// Puts the channels of an image in random order, as albumentations' ChannelShuffle (2.0.8).
#include <cstddef>
#include <numeric>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace {

struct ChannelShuffleOptions {
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options.add("probability", &probability, "Probability of applying the transform.").at_least(0).at_most(1);
  }
};

// Mean and deviation of a sample that is normalized already stay with their channel.
std::vector<float> shuffled(const std::vector<float>& values, const std::vector<int>& order) {
  if (values.size() != order.size()) return values;
  std::vector<float> result;
  for (const int channel : order) result.push_back(values[static_cast<std::size_t>(channel)]);
  return result;
}

class ChannelShuffle final : public sectile::Transform {
 public:
  explicit ChannelShuffle(const ChannelShuffleOptions& options) : options_(options) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(options_.probability)) return;
    if (sample.image.empty() || sample.image.channels() == 1) return;
    std::vector<int> order(static_cast<std::size_t>(sample.image.channels()));
    std::iota(order.begin(), order.end(), 0);
    const auto same = order;
    draw.random.shuffle(order);
    if (order == same) return;
    std::vector<int> pairs;  // from, to
    for (std::size_t to = 0; to < order.size(); ++to) pairs.insert(pairs.end(), {order[to], static_cast<int>(to)});
    cv::Mat image(sample.image.dims, sample.image.size.p, sample.image.type());
    cv::mixChannels(std::vector<cv::Mat>{sample.image}, std::vector<cv::Mat>{image}, pairs);
    sample.image = image;
    sample.mean = shuffled(sample.mean, order);
    sample.deviation = shuffled(sample.deviation, order);
  }

 private:
  ChannelShuffleOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<ChannelShuffle, ChannelShuffleOptions>(
                            "channel_shuffle", "Puts the channels of the image in random order."))
