// LR-ASPP (Howard et al. 2019, arXiv:1905.02244, section 6.4): the light head for MobileNetV3, on any backbone. Names
// and forward are those of torchvision's lraspp_mobilenet_v3_large, whose weights load without conversion.
#include <ATen/ops/adaptive_avg_pool2d.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/resize.h>

namespace {

namespace nn = sectile::nn;

constexpr int kLowStride = 8;  // of the fine features, at most

struct LrasppOptions {
  sectile::Ref<sectile::Backbone> backbone{"mobilenet_v3_large"};
  int inter_channels = 128;
  int output_stride = 16;

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone, "Computes the features. The head uses its last level and one of stride 8.");
    options
        .add("inter_channels", &inter_channels,
             "Channels that the last level is projected to. More is slower, and may help with many classes.")
        .at_least(1);
    options
        .add("output_stride", &output_stride,
             "Pixels of the image per pixel of the last level, by dilation in the backbone: 8, 16 or 32. Smaller is "
             "finer, slower and needs more memory.")
        .at_least(8)
        .at_most(32);
  }
  void check(sectile::Problems& problems) const {
    if (output_stride != 8 && output_stride != 16 && output_stride != 32)
      problems.add("output_stride", "is " + std::to_string(output_stride) + "; expected 8, 16 or 32");
  }
};

// Of the fine features: the first of the levels before the last whose stride is the coarsest up to kLowStride.
std::size_t low_level(const std::vector<sectile::FeatureLevel>& levels) {
  std::size_t found = 0;
  for (std::size_t i = 0; i + 1 < levels.size(); ++i)
    if (levels[i].stride <= kLowStride && levels[i].stride > levels[found].stride) found = i;
  return found;
}

std::shared_ptr<nn::Conv> per_pixel(torch::nn::Module& owner, const std::string& path, int in, int out, bool bias) {
  return nn::register_at(owner, path,
                         std::make_shared<nn::Conv>(
                             nn::ConvOptions{.in_channels = in, .out_channels = out, .kernel_size = 1, .bias = bias}));
}

class Lraspp : public torch::nn::Module, public sectile::WeightRules {
 public:
  Lraspp(const LrasppOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module(
            "backbone", sectile::build_backbone(options.backbone, context, {.output_stride = options.output_stride}))),
        low_(low_level(backbone_->levels())),
        project_(*this, nn::in_sequence("classifier.cbr"),
                 {.in_channels = high().channels, .out_channels = options.inter_channels, .kernel_size = 1}),
        scale_(per_pixel(*this, "classifier.scale.1", high().channels, options.inter_channels, /*bias=*/false)),
        low_classifier_(per_pixel(*this, "classifier.low_classifier", backbone_->levels()[low_].channels,
                                  context.classes(), /*bias=*/true)),
        high_classifier_(per_pixel(*this, "classifier.high_classifier", options.inter_channels, context.classes(),
                                   /*bias=*/true)) {}

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    const auto features = backbone_->features(images);
    const auto& low = features[low_];
    const auto& high = features.back();
    const auto scale = nn::activate(scale_->forward(at::adaptive_avg_pool2d(high, {1, 1})), nn::Activation::sigmoid);
    const auto context = nn::resize_like(project_.forward(high) * scale, low);
    return nn::resize_like(low_classifier_->forward(low) + high_classifier_->forward(context), images);
  }

  std::vector<std::string> head() const override {
    return {"classifier.low_classifier.", "classifier.high_classifier."};
  }

 private:
  sectile::FeatureLevel high() const { return backbone_->levels().back(); }

  std::shared_ptr<sectile::Backbone> backbone_;
  std::size_t low_;  // index of the level
  nn::ConvNormAct project_;
  std::shared_ptr<nn::Conv> scale_;
  std::shared_ptr<nn::Conv> low_classifier_;
  std::shared_ptr<nn::Conv> high_classifier_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<Lraspp, LrasppOptions>(
                   "lraspp", "LR-ASPP of Howard et al. 2019, as in torchvision: the light head of MobileNetV3."))
