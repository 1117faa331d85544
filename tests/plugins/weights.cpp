// Small networks for the tests of weights: attention with q, k and v apart, deep inside a backbone, and a backbone of
// stages with every kind of norm.
#include <ATen/ops/scaled_dot_product_attention.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <sectile/backbone.h>
#include <sectile/model.h>
#include <sectile/roles.h>

namespace {

using sectile::Dialect;
using sectile::NamedTensors;

constexpr int kWidth = 2;

torch::nn::Conv2d pointwise(int in, int out) {
  return torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, 1).bias(false));
}

// tokens: float [N, L, 2], and back
class Attention final : public torch::nn::Module, public sectile::WeightRules {
 public:
  Attention() : q_(linear("q")), k_(linear("k")), v_(linear("v")) {}

  at::Tensor forward(const at::Tensor& tokens) {
    return at::scaled_dot_product_attention(q_(tokens), k_(tokens), v_(tokens));
  }
  std::vector<Dialect> dialects() const override {
    return {{"fused_qkv", [](NamedTensors& file) {
               file.split("qkv.weight", 0, {"q.weight", "k.weight", "v.weight"});
             }}};
  }

 private:
  torch::nn::Linear linear(const char* name) {
    return register_module(name, torch::nn::Linear(torch::nn::LinearOptions(kWidth, kWidth).bias(false)));
  }

  torch::nn::Linear q_, k_, v_;
};

class AttentionBackbone final : public sectile::Backbone, public sectile::WeightRules {
 public:
  explicit AttentionBackbone(const sectile::BuildContext& context)
      : stem_(register_module("stem", pointwise(context.channels, kWidth))) {
    const auto blocks = register_module("blocks", std::make_shared<torch::nn::Module>("Blocks"));
    for (const char* number : {"0", "1"}) {
      const auto block = blocks->register_module(number, std::make_shared<torch::nn::Module>("Block"));
      attention_.push_back(block->register_module("attn", std::make_shared<Attention>()));
    }
  }

  std::vector<at::Tensor> features(const at::Tensor& images) override {
    const auto x = stem_(images);
    auto tokens = x.flatten(2).transpose(1, 2);
    for (const auto& attention : attention_) tokens = tokens + attention->forward(tokens);
    return {tokens.transpose(1, 2).reshape(x.sizes())};
  }
  std::vector<sectile::FeatureLevel> levels() const override { return {{kWidth, 1}}; }

  std::vector<Dialect> dialects() const override {
    return {{"layers", [](NamedTensors& file) {
               file.rename("layers.*.self.*", "blocks.*.attn.*");
               file.drop("fc.*");
             }}};
  }
  std::vector<std::string> image_convs() const override { return {"stem.weight"}; }

 private:
  torch::nn::Conv2d stem_;
  std::vector<std::shared_ptr<Attention>> attention_;
};

// A norm that nobody but its author knows.
class Centre final : public torch::nn::Module {
 public:
  Centre()
      : bias_(register_parameter("bias", at::zeros({kWidth, 1, 1}))),
        running_mean_(register_buffer("running_mean", at::zeros({kWidth, 1, 1}))) {}

  at::Tensor forward(const at::Tensor& x) {
    if (!is_training()) return x - running_mean_ + bias_;
    const auto mean = x.mean({0, 2, 3}).view_as(running_mean_);
    running_mean_.lerp_(mean.detach(), 0.5);
    return x - mean + bias_;
  }

 private:
  at::Tensor bias_, running_mean_;
};

// Three stages; each has a convolution, a batch norm with parameters, one without, and a norm of its own.
class StagesBackbone final : public sectile::Backbone, public sectile::WeightRules {
 public:
  explicit StagesBackbone(const sectile::BuildContext& context) {
    const auto all = register_module("stages", std::make_shared<torch::nn::Module>("Stages"));
    for (int i = 0; i < 3; ++i) {
      auto& owner = *all->register_module(std::to_string(i), std::make_shared<torch::nn::Module>("Stage"));
      stages_.push_back(
          {owner.register_module("conv", pointwise(i == 0 ? context.channels : kWidth, kWidth)),
           owner.register_module("norm", torch::nn::BatchNorm2d(kWidth)),
           owner.register_module("plain", torch::nn::BatchNorm2d(torch::nn::BatchNorm2dOptions(kWidth).affine(false))),
           owner.register_module("centre", std::make_shared<Centre>())});
    }
  }

  std::vector<at::Tensor> features(const at::Tensor& images) override {
    auto x = images;
    for (auto& stage : stages_) x = stage.centre->forward(stage.plain(stage.norm(stage.conv(x)).relu()));
    return {x};
  }
  std::vector<sectile::FeatureLevel> levels() const override { return {{kWidth, 1}}; }
  int depth(const std::string& parameter) const override { return parameter.at(std::string("stages.").size()) - '0'; }

 private:
  struct Stage {
    torch::nn::Conv2d conv;
    torch::nn::BatchNorm2d norm, plain;
    std::shared_ptr<Centre> centre;
  };
  std::vector<Stage> stages_;
};

struct PixelsOptions {
  sectile::Ref<sectile::Backbone> backbone{"toy_attention"};
  void declare(sectile::Options& options) { options.add("backbone", &backbone, "What finds features."); }
};

class Pixels : public torch::nn::Module, public sectile::WeightRules {
 public:
  Pixels(const PixelsOptions& options, const sectile::BuildContext& context)
      : backbone_(register_module("backbone", options.backbone.build(context))),
        head_(register_module("head", pointwise(kWidth, context.classes()))) {}

  at::Tensor forward(const at::Tensor& images) { return head_(backbone_->features(images).front()); }
  std::vector<std::string> head() const override { return {"head."}; }

 private:
  std::shared_ptr<sectile::Backbone> backbone_;
  torch::nn::Conv2d head_;
};

}  // namespace

SECTILE_PLUGIN("0.1.0", sectile::model<Pixels, PixelsOptions>("toy", "A backbone and a classifier of its pixels."),
               sectile::backbone<AttentionBackbone>("toy_attention", "Attention, and no stages."),
               sectile::backbone<StagesBackbone>("toy_stages", "Three stages of norms."))
