// A linear layer on the patches of a vision transformer, with a batch norm before it: how features are compared in
// papers on pretraining, such as DINOv2 (Oquab et al. 2023, arXiv:2304.07193), whose BNHead for MMSegmentation this is,
// in names and values.
#include <memory>
#include <string>
#include <vector>

#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/batch_norm.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/names.h>
#include <sectile/nn/resize.h>
#include <sectile/roles.h>

namespace {

namespace nn = sectile::nn;
using sectile::Backbone;

constexpr double kDeviation = 0.01;

struct VitLinearOptions {
  sectile::Ref<Backbone> backbone = sectile::Ref<Backbone>("vit_small");

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone,
                "Network whose last level of features is classified. Its weights are set in its own options; to train "
                "the linear layer alone, freeze it there.");
  }
};

class VitLinear : public torch::nn::Module, public sectile::WeightRules {
 public:
  VitLinear(const VitLinearOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module("backbone", sectile::build_backbone(options.backbone, context, {.levels = {-1}}))) {
    const int channels = backbone_->levels().back().channels;
    auto& head = nn::nest(*this, "decode_head");
    norm_ = head.register_module("bn", std::make_shared<nn::BatchNorm>(nn::BatchNormOptions{.channels = channels}));
    classifier_ = head.register_module(
        "conv_seg", std::make_shared<nn::Conv>(
                        nn::ConvOptions{.in_channels = channels, .out_channels = context.classes(), .kernel_size = 1}));
    torch::nn::init::normal_(classifier_->weight, 0, kDeviation);
    torch::nn::init::zeros_(classifier_->bias);
  }

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    const auto features = backbone_->features(images).back();
    return nn::resize_like(classifier_->forward(norm_->forward(features)), images);
  }

  // The backbone pads images to whole patches: its map is of all of them, and not of the image alone.
  sectile::ModelTraits traits() const {
    const int stride = backbone_->levels().back().stride;
    sectile::ModelTraits traits;
    traits.divisor = {1, stride, stride};
    return traits;
  }

  std::vector<std::string> head() const override { return {"decode_head.conv_seg."}; }

 private:
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<nn::BatchNorm> norm_;
  std::shared_ptr<nn::Conv> classifier_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::model<VitLinear, VitLinearOptions>(
                            "vit_linear", "A linear layer on the patches of any vision transformer, as in DINOv2."))
