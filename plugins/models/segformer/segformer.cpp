// SegFormer (Xie et al. 2021, arXiv:2105.15203): a mix transformer and a decoder of linear layers, with the values of
// transformers' SegformerForSemanticSegmentation and the names of its files.
//
// The original brings all levels to the size of the finest one, and then joins them by a 1x1 convolution. A linear map
// of channels and a bilinear resize commute, so here each level is multiplied by its part of that convolution at its
// own size, and the results are resized and summed: the same numbers with fewer products, and without the joined map of
// all levels.
#include <array>
#include <string>
#include <vector>

#include <ATen/ops/arange.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/init.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/nn/batch_norm.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/inference.h>
#include <sectile/nn/names.h>
#include <sectile/nn/resize.h>
#include <sectile/nn/transformer/tokens.h>
#include <sectile/roles.h>

namespace {

namespace nn = sectile::nn;
using sectile::Backbone;

constexpr std::size_t kLevels = 4;
constexpr double kDeviation = 0.02;  // of initial weights, as in transformers

struct SegformerOptions {
  sectile::Ref<Backbone> backbone = sectile::Ref<Backbone>("mit_b0");
  int decoder_hidden_size = 256;
  double dropout = 0.1;

  void declare(sectile::Options& options) {
    options.add("backbone", &backbone,
                "Network that computes four levels of features, at strides 4 to 32. Its weights are set in its own "
                "options.");
    options
        .add("decoder_hidden_size", &decoder_hidden_size,
             "Channels of the decoder: 256 in the published networks with mit_b0 and mit_b1, 768 in those with mit_b2 "
             "to mit_b5.")
        .at_least(1)
        .at_most(65536);
    options.add("dropout", &dropout, "Dropout probability before the classifier, in training.")
        .at_least(0)
        .at_most(0.99);
  }
};

class DecodeHead final : public torch::nn::Module, public sectile::InferenceForm {
 public:
  DecodeHead(const std::vector<sectile::FeatureLevel>& levels, const SegformerOptions& options, int classes)
      : dropout_(options.dropout) {
    const int hidden = options.decoder_hidden_size;
    for (std::size_t i = 0; i < kLevels; ++i) {
      auto& level = nn::nest(*this, "linear_c." + std::to_string(i) + ".proj");
      weights_[i] = level.register_parameter("weight", at::empty({hidden, levels[i].channels}));
      biases_[i] = level.register_parameter("bias", at::zeros({hidden}));
      torch::nn::init::normal_(weights_[i], 0, kDeviation);
    }
    fuse_ = nn::nest(*this, "linear_fuse")
                .register_parameter("weight", at::empty({hidden, static_cast<std::int64_t>(kLevels) * hidden, 1, 1}));
    torch::nn::init::normal_(fuse_, 0, kDeviation);
    norm_ = register_module("batch_norm", std::make_shared<nn::BatchNorm>(nn::BatchNormOptions{
                                              .channels = hidden, .activation = nn::Activation::relu}));
    classifier_ = register_module("classifier", std::make_shared<nn::Conv>(nn::ConvOptions{
                                                    .in_channels = hidden, .out_channels = classes, .kernel_size = 1}));
    torch::nn::init::normal_(classifier_->weight, 0, kDeviation);
    torch::nn::init::zeros_(classifier_->bias);
  }

  // levels: finest first → logits at the finest level's size
  at::Tensor forward(const std::vector<at::Tensor>& levels) const {
    const auto fused = folded_ ? sum(levels, joint_, joint_bias_).relu_() : normalized(levels);
    return classifier_->forward(at::dropout(fused, dropout_, is_training()));
  }

  void prepare_for_inference(const sectile::InferencePlan& plan) override {
    if (folded_) return;
    const auto example = plan.verify ? example_levels() : std::vector<at::Tensor>();
    const auto before = plan.verify ? normalized(example) : at::Tensor();
    const auto type = weights_[0].scalar_type() == at::kDouble ? at::kDouble : plan.precision;
    const auto wide = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
    const auto scale = wide(norm_->weight) * (wide(norm_->running_var) + norm_->options.eps).rsqrt();
    const auto shift = wide(norm_->bias) - wide(norm_->running_mean) * scale;
    std::array<at::Tensor, kLevels> doubles, double_biases;
    for (std::size_t i = 0; i < kLevels; ++i) doubles[i] = wide(weights_[i]), double_biases[i] = wide(biases_[i]);
    auto [joint, bias] = joined(wide(fuse_), doubles, double_biases);
    for (std::size_t i = 0; i < kLevels; ++i) joint_[i] = (joint[i] * scale.unsqueeze(1)).to(plan.device, type);
    joint_bias_ = (bias * scale + shift).to(plan.device, type);
    folded_ = true;
    if (!plan.verify) return;
    std::vector<at::Tensor> moved;
    for (const auto& level : example) moved.push_back(level.to(plan.device, type));
    nn::require_same("decode head", before, sum(moved, joint_, joint_bias_).relu_(), plan.precision);
  }

 private:
  using PerLevel = std::array<at::Tensor, kLevels>;
  struct Joint {
    PerLevel weights;  // [hidden, C]
    at::Tensor bias;   // [hidden]
  };

  // Each level's linear layer, and after it the level's part of the convolution, whose input begins with the last
  // level.
  static Joint joined(const at::Tensor& fuse, const PerLevel& weights, const PerLevel& biases) {
    const auto parts = fuse.flatten(1).chunk(kLevels, 1);
    Joint joint;
    for (std::size_t i = 0; i < kLevels; ++i) {
      const auto& part = parts[kLevels - 1 - i];
      joint.weights[i] = at::matmul(part, weights[i]);
      const auto bias = at::matmul(part, biases[i]);
      joint.bias = i == 0 ? bias : joint.bias + bias;
    }
    return joint;
  }

  static at::Tensor sum(const std::vector<at::Tensor>& levels, const PerLevel& weights, const at::Tensor& bias) {
    const auto rows = [](const at::Tensor& map) { return map.size(2); };
    const auto columns = [](const at::Tensor& map) { return map.size(3); };
    const auto finest =
        nn::map_of(at::linear(nn::tokens_of(levels[0]), weights[0], bias), rows(levels[0]), columns(levels[0]));
    at::Tensor total = finest;
    for (std::size_t i = 1; i < kLevels; ++i) {
      const auto part =
          nn::map_of(at::linear(nn::tokens_of(levels[i]), weights[i]), rows(levels[i]), columns(levels[i]));
      const auto large = nn::resize_like(part, finest);
      total = i == 1 ? total + large : total.add_(large);
    }
    return total;
  }

  at::Tensor normalized(const std::vector<at::Tensor>& levels) const {
    const auto [weights, bias] = joined(fuse_, weights_, biases_);
    return norm_->forward(sum(levels, weights, bias));
  }

  std::vector<at::Tensor> example_levels() const {
    std::vector<at::Tensor> levels;
    for (std::size_t i = 0; i < kLevels; ++i) {
      const std::int64_t side = 8 >> i;
      const auto channels = weights_[i].size(1);
      levels.push_back(at::arange(2 * channels * side * side, weights_[i].options().dtype(at::kDouble))
                           .sin_()
                           .view({2, channels, side, side})
                           .to(weights_[i].scalar_type()));
    }
    return levels;
  }

  PerLevel weights_, biases_;  // [hidden, C], [hidden]
  at::Tensor fuse_;            // [hidden, 4 hidden, 1, 1]
  std::shared_ptr<nn::BatchNorm> norm_;
  std::shared_ptr<nn::Conv> classifier_;
  double dropout_;
  bool folded_ = false;
  PerLevel joint_;  // of the inference form, with the norm
  at::Tensor joint_bias_;
};

class Segformer : public torch::nn::Module, public sectile::WeightRules {
 public:
  Segformer(const SegformerOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module("segformer",
                                  sectile::build_backbone(options.backbone, context, {.levels = {-4, -3, -2, -1}}))),
        head_(register_module("decode_head",
                              std::make_shared<DecodeHead>(backbone_->levels(), options, context.classes()))) {}

  // images: float [N, C, H, W] → logits: float [N, classes, H, W]
  at::Tensor forward(const at::Tensor& images) {
    return nn::resize_like(head_->forward(backbone_->features(images)), images);
  }

  std::vector<sectile::Dialect> dialects() const override {
    return {{"transformers 5", [](sectile::NamedTensors& file) {
               file.rename("decode_head.linear_projections.*", "decode_head.linear_c.*");
             }}};
  }
  std::vector<std::string> head() const override { return {"decode_head.classifier."}; }

 private:
  std::shared_ptr<Backbone> backbone_;
  std::shared_ptr<DecodeHead> head_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<Segformer, SegformerOptions>("segformer",
                                                           "SegFormer of Xie et al. 2021, as in transformers."))
