// U-Net++ (Zhou et al. 2018, arXiv:1807.10165) with any backbone: between the two ways of a U-Net, each level has
// further blocks, each of which sees all blocks before it. Names, options and numbers are those of
// segmentation_models_pytorch's UnetPlusPlus, whose weights load without conversion.
#include <ATen/ops/cat.h>

#include <sectile/nn/decoders/unet_options.h>

namespace {

namespace nn = sectile::nn;

struct UnetPlusPlusOptions : nn::UnetOptions {
  void declare(sectile::Options& options) {
    UnetOptions::declare(
        options,
        "Channels of the last block of each level, from the deepest one up; one for each level. The blocks "
        "between have those of the backbone's level.");
  }
};

class UnetPlusPlus : public nn::EncoderDecoder {
 public:
  UnetPlusPlus(const UnetPlusPlusOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, all_levels(options.depth)),
        deepest_first_(channels().rbegin(), channels().rend() - 1),
        steps_(deepest_first_.size() - 1) {
    refuse_levels_without_channels(options.backbone);
    for (std::size_t to = 0; to < steps_; ++to)
      for (std::size_t from = 0; from <= to; ++from) {
        const int skip = deepest_first_[to + 1] * static_cast<int>(to + 1 - from);
        if (from == 0)
          add(options, from, to, to == 0 ? deepest_first_[0] : options.channels[to - 1], skip, options.channels[to]);
        else
          add(options, from, to, deepest_first_[to], skip, deepest_first_[to + 1]);
      }
    add(options, 0, steps_, options.channels[steps_ - 1], std::nullopt, options.channels[steps_]);
    register_head(options.channels[steps_], /*kernel_size=*/3);
    initialize();
  }

  std::vector<std::string> optional_layers() const override {
    auto layers = EncoderDecoder::optional_layers();
    // Made by the original, which uses it only behind a skip connection.
    layers.push_back("decoder.blocks." + name(0, steps_) + ".attention1.");
    return layers;
  }

 protected:
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    const auto level = [&](std::size_t depth) { return features[features.size() - 1 - depth]; };  // deepest first
    std::map<Place, at::Tensor> made;
    for (std::size_t hops = 0; hops < steps_; ++hops)
      for (std::size_t from = 0; from + hops < steps_; ++from) {
        const auto to = from + hops;
        const auto deeper = hops == 0 ? level(from) : made.at({from, to - 1});
        std::vector<at::Tensor> skips;
        for (auto other = from + 1; other <= to; ++other) skips.push_back(made.at({other, to}));
        skips.push_back(level(to + 1));
        const auto skip = skips.size() == 1 ? skips[0] : at::cat(skips, 1);
        made[{from, to}] = blocks_.at({from, to}).forward(deeper, skip);
      }
    return blocks_.at({0, steps_}).forward(made.at({0, steps_ - 1}), features[0].sizes().slice(2));
  }

 private:
  // Of a block: the level that its diagonal starts from, and how far up it ends; both from the deepest level.
  using Place = std::pair<std::size_t, std::size_t>;

  static std::string name(std::size_t from, std::size_t to) {
    return "x_" + std::to_string(from) + "_" + std::to_string(to);
  }

  void add(const UnetPlusPlusOptions& options, std::size_t from, std::size_t to, int in, std::optional<int> skip,
           int out) {
    blocks_.emplace(Place{from, to},
                    nn::UnetBlock(*this, "decoder.blocks." + name(from, to), options.block(in, skip, out)));
  }

  std::vector<int> deepest_first_;  // channels of the backbone's levels
  std::size_t steps_;               // up from the deepest level to the finest one
  std::map<Place, nn::UnetBlock> blocks_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<UnetPlusPlus, UnetPlusPlusOptions>(
                            "unetplusplus", "U-Net++ of Zhou et al. 2018 with any backbone: dense skip connections."))
