// PSPNet (Zhao et al. 2016, arXiv:1612.01105) with any backbone: averages over grids of four sizes beside the features.
// Names, options and numbers are those of segmentation_models_pytorch's PSPNet, whose weights load without conversion.
// Like it, it uses three levels of the backbone by default (stride 8), instead of dilating the deeper ones.
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/feature_dropout.h>

#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/decoders/encoder_decoder.h>
#include <sectile/nn/resize.h>

namespace {

namespace nn = sectile::nn;

constexpr int kGrids[] = {1, 2, 3, 6};  // cells per axis

struct PspNetOptions : nn::EncoderOptions {
  int channels = 512;
  double dropout = 0.2;
  nn::Norm norm = nn::Norm::batch;

  PspNetOptions() : EncoderOptions(3) {}

  void declare(sectile::Options& options) {
    nn::EncoderOptions::declare(options);
    options.add("channels", &channels, "Channels that features and averages are reduced to before the classifier.")
        .at_least(1);
    options.add("dropout", &dropout, "Probability that a channel is dropped before the classifier, in training.")
        .at_least(0)
        .at_most(0.99);
    options
        .add("norm", &norm, "Normalization after each convolution of the decoder: batch norm, or none (with a bias).")
        .one_of({"none", "batch"});
  }
};

class PspNet : public nn::EncoderDecoder {
 public:
  PspNet(const PspNetOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, {options.depth - 1}), dropout_(options.dropout) {
    const int in = channels().back();
    for (std::size_t i = 0; i < std::size(kGrids); ++i)
      // The average of a whole image is one value per channel, for which batch norm has no statistics with one image.
      stages_.emplace_back(
          *this, nn::in_sequence("decoder.psp.blocks." + std::to_string(i) + ".pool.1"),
          conv(in, in / static_cast<int>(std::size(kGrids)), kGrids[i] == 1 ? nn::Norm::none : options.norm));
    conv_.emplace(*this, nn::in_sequence("decoder.conv"), conv(2 * in, options.channels, options.norm));
    register_head(options.channels, /*kernel_size=*/3, /*upsampling=*/1 << options.depth);
    initialize();
  }

 protected:
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    const auto& x = features.back();
    std::vector<at::Tensor> parts;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      const auto pooled = at::adaptive_avg_pool2d(x, {kGrids[i], kGrids[i]});
      parts.push_back(nn::resize_like(stages_[i].forward(pooled), x, /*align_corners=*/true));
    }
    return at::feature_dropout(conv_->forward(at::cat(parts, 1), x), dropout_, is_training());
  }

 private:
  static nn::ConvNormActOptions conv(int in, int out, nn::Norm norm) {
    return {.in_channels = in, .out_channels = out, .kernel_size = 1, .norm = norm};
  }

  double dropout_;
  std::vector<nn::ConvNormAct> stages_;
  std::optional<nn::ConvNormAct> conv_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<PspNet, PspNetOptions>(
                   "pspnet", "PSPNet of Zhao et al. 2016 with any backbone: pooling over grids of four sizes."))
