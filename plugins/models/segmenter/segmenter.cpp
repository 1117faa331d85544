// Segmenter (Strudel et al. 2021, arXiv:2105.05633): a vision transformer, and a decoder that is a transformer with a
// token for each class, or a linear layer. Names and values are those of MMSegmentation's SegmenterMaskTransformerHead,
// and of its FCNHead without convolutions.
#include <memory>
#include <string>
#include <vector>

#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/names.h>
#include <sectile/nn/resize.h>
#include <sectile/nn/transformer/encoder_layer.h>
#include <sectile/nn/transformer/tokens.h>
#include <sectile/roles.h>

namespace {

namespace nn = sectile::nn;
using sectile::Backbone;

constexpr int kChannelsPerHead = 64;
constexpr int kExpansion = 4;  // of the perceptrons
constexpr double kEps = 1e-5;
constexpr double kDeviation = 0.02;
constexpr double kClassifierDeviation = 0.01;

enum class Decoder { mask, linear };

struct SegmenterOptions {
  sectile::Ref<Backbone> backbone = sectile::Ref<Backbone>("vit_tiny");
  Decoder decoder = Decoder::mask;
  int decoder_layers = 2;
  double decoder_drop_path_rate = 0.1;

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone,
                "Network whose last level of features is decoded. Its weights are set in its own options.");
    options
        .add("decoder", &decoder,
             "mask: a transformer that learns a token for each class and compares it with each patch; linear: a linear "
             "layer, which is smaller and faster.")
        .one_of({"mask", "linear"});
    options.add("decoder_layers", &decoder_layers, "Transformer layers of the mask decoder.").at_least(1).at_most(64);
    options
        .add("decoder_drop_path_rate", &decoder_drop_path_rate,
             "Stochastic depth in training of the mask decoder: the probability that a branch of its last layer is "
             "skipped, which rises evenly from 0 at the first.")
        .at_least(0)
        .at_most(0.95);
  }
};

// The cosine of each patch with each class.
class MaskDecoder final {
 public:
  MaskDecoder(torch::nn::Module& owner, int channels, int classes, const SegmenterOptions& options)
      : project_(nn::register_at(owner, "dec_proj", std::make_shared<nn::Linear>(channels, channels))) {
    class_tokens_ = owner.register_parameter("cls_emb", at::zeros({1, classes, channels}));
    for (int i = 0; i < options.decoder_layers; ++i) {
      const int last = options.decoder_layers - 1;
      const double rate = options.decoder_drop_path_rate * (last > 0 ? static_cast<double>(i) / last : 1);
      layers_.emplace_back(owner, nn::mmsegmentation_layer("layers." + std::to_string(i)),
                           nn::EncoderLayerOptions{.channels = channels,
                                                   .heads = channels / kChannelsPerHead,
                                                   .hidden_channels = kExpansion * channels,
                                                   .eps = kEps,
                                                   .drop_path_rate = rate});
    }
    norm_ = nn::register_at(owner, "decoder_norm", std::make_shared<nn::LayerNorm>(channels, kEps));
    const auto projection = [&](const std::string& name) {
      return nn::register_at(owner, name, std::make_shared<nn::Linear>(channels, channels, /*has_bias=*/false));
    };
    project_patches_ = projection("patch_proj");
    project_classes_ = projection("classes_proj");
    mask_norm_ = nn::register_at(owner, "mask_norm", std::make_shared<nn::LayerNorm>(classes, kEps));
    nn::initialize_linear_layers(owner);
    torch::nn::init::normal_(class_tokens_, 0, kDeviation);
  }

  at::Tensor forward(const at::Tensor& features) const {  // float [N, C, h, w] → [N, classes, h, w]
    const auto patches = project_->forward(nn::tokens_of(features));
    const auto count = patches.size(1), classes = class_tokens_.size(1);
    auto tokens = at::cat({patches, class_tokens_.to(patches.scalar_type()).expand({patches.size(0), -1, -1})}, 1);
    for (const auto& layer : layers_) tokens = layer.forward(tokens);
    tokens = norm_->forward(tokens);
    const auto of_patches = unit(project_patches_->forward(tokens.narrow(1, 0, count)));
    const auto of_classes = unit(project_classes_->forward(tokens.narrow(1, count, classes)));
    const auto masks = mask_norm_->forward(at::matmul(of_patches, of_classes.transpose(1, 2)));
    return nn::map_of(masks, features.size(2), features.size(3));
  }

 private:
  static at::Tensor unit(const at::Tensor& tokens) { return tokens / tokens.norm(2, {2}, /*keepdim=*/true); }

  std::shared_ptr<nn::Linear> project_;
  at::Tensor class_tokens_;  // [1, classes, C]
  std::vector<nn::EncoderLayer> layers_;
  std::shared_ptr<nn::LayerNorm> norm_, mask_norm_;
  std::shared_ptr<nn::Linear> project_patches_, project_classes_;
};

class Segmenter : public torch::nn::Module, public sectile::WeightRules {
 public:
  Segmenter(const SegmenterOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {-1}}))) {
    const int channels = backbone_->levels().back().channels;
    auto& head = nn::nest(*this, "decode_head");
    if (options.decoder == Decoder::mask) {
      if (channels % kChannelsPerHead != 0)
        throw sectile::OptionError("backbone", "\"" + options.backbone.type() + "\" has " + std::to_string(channels) +
                                                   " channels, and the mask decoder needs a multiple of 64, which "
                                                   "each of its heads has: choose another backbone, or the decoder "
                                                   "\"linear\"");
      mask_ = std::make_unique<MaskDecoder>(head, channels, context.classes(), options);
    } else {
      linear_ = head.register_module(
          "conv_seg", std::make_shared<nn::Conv>(nn::ConvOptions{
                          .in_channels = channels, .out_channels = context.classes(), .kernel_size = 1}));
      torch::nn::init::normal_(linear_->weight, 0, kClassifierDeviation);
      torch::nn::init::zeros_(linear_->bias);
    }
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    const auto features = backbone_->features(images).back();
    return nn::resize_like(mask_ ? mask_->forward(features) : linear_->forward(features), images);
  }

  // The backbone pads images to whole patches: its map is of all of them, and not of the image alone.
  sectile::ModelTraits traits() const {
    const int stride = backbone_->levels().back().stride;
    sectile::ModelTraits traits;
    traits.divisor = {1, stride, stride};
    return traits;
  }

  std::vector<std::string> head() const override {
    return {"decode_head.cls_emb", "decode_head.mask_norm.", "decode_head.conv_seg."};
  }
  bool decays(const std::string& parameter) const override { return parameter != "decode_head.cls_emb"; }

 private:
  std::shared_ptr<Backbone> backbone_;
  std::unique_ptr<MaskDecoder> mask_;  // null: linear
  std::shared_ptr<nn::Conv> linear_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<Segmenter, SegmenterOptions>(
                            "segmenter", "Segmenter of Strudel et al. 2021: a vision transformer and class tokens."))
