// LinkNet (Chaurasia and Culurciello 2017, arXiv:1707.03718) with any backbone: a light decoder whose skip connections
// are sums. Names, options and numbers are those of segmentation_models_pytorch's Linknet, whose weights load without
// conversion.
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/decoders/encoder_decoder.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLastChannels = 32;
constexpr int kReduction = 4;  // of the channels that are upsampled

struct LinknetOptions : nn::EncoderOptions {
  nn::Norm norm = nn::Norm::batch;

  void declare(sectile::Options& options) {
    nn::EncoderOptions::declare(options);
    options
        .add("norm", &norm, "Normalization after each convolution of the decoder: batch norm, or none (with a bias).")
        .one_of({"none", "batch"});
  }
};

// float [N, C, H, W] → [N, C', 2 H, 2 W]
class LinkBlock final {
 public:
  LinkBlock(torch::nn::Module& owner, const std::string& path, int in, int out, nn::Norm norm)
      : reduce_(owner, nn::in_sequence(path + ".0"),
                {.in_channels = in, .out_channels = in / kReduction, .kernel_size = 1, .norm = norm}),
        upsample_(owner, nn::in_sequence(path + ".1"),
                  {.in_channels = in / kReduction,
                   .out_channels = in / kReduction,
                   .kernel_size = 4,
                   .stride = 2,
                   .padding = 1,
                   .transposed = true,
                   .bias = true,
                   .norm = norm}),
        expand_(owner, nn::in_sequence(path + ".2"),
                {.in_channels = in / kReduction, .out_channels = out, .kernel_size = 1, .norm = norm}) {}

  at::Tensor forward(const at::Tensor& x) const { return expand_.forward(upsampled(x)); }
  at::Tensor forward(const at::Tensor& x, at::Tensor skip) const {
    return expand_.forward_added(upsampled(x), std::move(skip));
  }

 private:
  at::Tensor upsampled(const at::Tensor& x) const { return upsample_.forward(reduce_.forward(x)); }

  nn::ConvNormAct reduce_;
  nn::ConvNormAct upsample_;
  nn::ConvNormAct expand_;
};

class Linknet : public nn::EncoderDecoder {
 public:
  Linknet(const LinknetOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, all_levels(options.depth)) {
    refuse_levels_without_channels(options.backbone);
    auto widths = std::vector<int>(channels().rbegin(), channels().rend() - 1);  // deepest first
    widths.push_back(kLastChannels);
    for (std::size_t i = 0; i + 1 < widths.size(); ++i)
      blocks_.emplace_back(*this, "decoder.blocks." + std::to_string(i) + ".block", widths[i], widths[i + 1],
                           options.norm);
    register_head(kLastChannels, /*kernel_size=*/1);
    initialize();
  }

 protected:
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    auto x = features.back();
    for (std::size_t i = 0; i + 1 < blocks_.size(); ++i) x = blocks_[i].forward(x, features[blocks_.size() - 1 - i]);
    return blocks_.back().forward(x);
  }

 private:
  std::vector<LinkBlock> blocks_;  // deepest first
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<Linknet, LinknetOptions>(
                            "linknet", "LinkNet of Chaurasia and Culurciello 2017 with any backbone: fast and light."))
