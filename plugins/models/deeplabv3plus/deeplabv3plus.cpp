// DeepLabV3+ (Chen et al. 2018, arXiv:1802.02611) with any backbone: atrous spatial pyramid pooling of the deepest
// features, refined with those at 1/4. Names, options, initialization and numbers are those of
// segmentation_models_pytorch's DeepLabV3Plus, whose weights load without conversion.
#include <array>

#include <sectile/nn/aspp.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/decoders/encoder_decoder.h>
#include <sectile/nn/resize.h>

namespace {

namespace nn = sectile::nn;

constexpr int kFineChannels = 48;  // of the features at 1/4, as in the paper
constexpr int kFineStride = 4;

struct DeepLabV3PlusOptions : nn::EncoderOptions {
  int output_stride = 16;
  int channels = 256;
  std::array<int, 3> atrous_rates = {12, 24, 36};
  bool aspp_separable = true;
  double dropout = 0.5;

  void declare(sectile::Options& options) {
    nn::EncoderOptions::declare(options);
    options.add("output_stride", &output_stride,
                "Stride of the deepest features, 8 or 16, which the backbone reaches by dilation. 8 sees finer detail, "
                "at several times the cost.");
    options.add("channels", &channels, "Channels of the pyramid pooling and of the decoder.").at_least(1);
    options
        .add("atrous_rates", &atrous_rates,
             "Dilations of the pyramid's three 3x3 convolutions, in pixels of the deepest features. Smaller ones, such "
             "as [6, 12, 18], for images below about 500 pixels.")
        .at_least(1)
        .at_most(1024);
    options.add("aspp_separable", &aspp_separable,
                "Whether these convolutions are split into one per channel and one per pixel, with an eighth of the "
                "weights.");
    options.add("dropout", &dropout, "Dropout probability after the pyramid pooling, in training.")
        .at_least(0)
        .at_most(0.99);
  }
  void check(sectile::Problems& problems) const {
    if (output_stride != 8 && output_stride != 16)
      problems.add("output_stride", "is " + std::to_string(output_stride) + "; expected 8 or 16");
  }
};

// A 3x3 convolution per channel, one per pixel, and a norm behind both.
class SeparableConv final {
 public:
  SeparableConv(torch::nn::Module& owner, const std::string& path, const nn::Names& pointwise, int in, int out)
      : depthwise_(nn::register_at(
            owner, path,
            std::make_shared<nn::Conv>(nn::ConvOptions{
                .in_channels = in, .out_channels = in, .kernel_size = 3, .padding = 1, .groups = in, .bias = false}))),
        pointwise_(owner, pointwise, {.in_channels = in, .out_channels = out, .kernel_size = 1}) {}

  at::Tensor forward(const at::Tensor& input) const { return pointwise_.forward(depthwise_->forward(input)); }
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b) const {  // of both, one behind the other
    return pointwise_.forward(depthwise_->forward(a, b));
  }

 private:
  std::shared_ptr<nn::Conv> depthwise_;
  nn::ConvNormAct pointwise_;
};

class DeepLabV3Plus : public nn::EncoderDecoder {
 public:
  DeepLabV3Plus(const DeepLabV3PlusOptions& options, const sectile::BuildContext& context)
      : EncoderDecoder(options.backbone, context, {1, options.depth - 1}, options.output_stride),
        aspp_(*this, "decoder.aspp.0",
              {.in_channels = channels()[2],
               .channels = options.channels,
               .atrous_rates = {options.atrous_rates.begin(), options.atrous_rates.end()},
               .separable = options.aspp_separable,
               .dropout = options.dropout}),
        after_aspp_(*this, "decoder.aspp.1.0", {"decoder.aspp.1.1", "decoder.aspp.2"}, options.channels,
                    options.channels),
        fine_(*this, nn::in_sequence("decoder.block1"),
              {.in_channels = channels()[1], .out_channels = kFineChannels, .kernel_size = 1}),
        fused_(*this, "decoder.block2.0.0", {"decoder.block2.0.1", "decoder.block2.1"},
               options.channels + kFineChannels, options.channels) {
    // Not initialized further: unlike its other networks, the original keeps torch's distributions in this one.
    register_head(options.channels, /*kernel_size=*/1, /*upsampling=*/kFineStride);
  }

 protected:
  // features: images, those at 1/4, the deepest
  at::Tensor decode(const std::vector<at::Tensor>& features) override {
    const auto coarse = after_aspp_.forward(aspp_.forward(features[2]));
    const auto fine = fine_.forward(features[1]);
    return fused_.forward(nn::resize_like(coarse, fine, /*align_corners=*/true), fine);
  }

 private:
  nn::Aspp aspp_;
  SeparableConv after_aspp_;
  nn::ConvNormAct fine_;
  SeparableConv fused_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<DeepLabV3Plus, DeepLabV3PlusOptions>(
                   "deeplabv3plus", "DeepLabV3+ of Chen et al. 2018 with any backbone: dilated pyramid pooling."))
