// Backbones of the hard cases.
#include <algorithm>

#include <torch/nn/modules/conv.h>

#include <sectile/backbone.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/roles.h>

namespace {

using at::Tensor;
using sectile::BuildContext;
namespace nn = torch::nn;

// --- Follows what a model asks for. ---
struct TinyOptions {
  int width = 8;
  void declare(sectile::Options& options) { options.add("width", &width, "Channels of the first stage.").at_least(1); }
};

class Tiny final : public sectile::Backbone, public sectile::WeightRules {
 public:
  Tiny(const TinyOptions& options, const BuildContext& context) : request_(context.features) {
    const int width = options.width, last = request_.output_stride == 8 ? 1 : 2;  // stride of the last level
    all_ = {{width, 2}, {2 * width, 4}, {4 * width, 8}, {4 * width, 8 * last}};
    std::size_t needed = all_.size();
    if (!request_.levels.empty()) needed = 0;
    for (const int level : request_.levels) needed = std::max(needed, request_.index(level, all_.size()) + 1);
    int channels = context.channels;
    for (std::size_t i = 0; i < needed; ++i) {
      const auto path = i == 0 ? "stem" : "layer" + std::to_string(i);
      layers_.emplace_back(*this, sectile::nn::Names{path + ".conv", path + ".norm"},
                           sectile::nn::ConvNormActOptions{.in_channels = channels,
                                                           .out_channels = all_[i].channels,
                                                           .kernel_size = 3,
                                                           .stride = i == 3 ? last : 2,
                                                           .padding = 1});
      channels = all_[i].channels;
    }
    register_buffer("grid", at::arange(4));
  }
  std::vector<Tensor> features(const Tensor& images) override {
    std::vector<Tensor> all(all_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) all[i] = layers_[i].forward(i == 0 ? images : all[i - 1]);
    return request_.pick(all);
  }
  std::vector<sectile::FeatureLevel> levels() const override { return request_.pick(all_); }
  int depth(const std::string& parameter) const override {
    return parameter.starts_with("stem.") ? 0 : parameter[5] - '0';
  }
  std::vector<std::string> transient_buffers() const override { return {"grid"}; }

 private:
  sectile::FeatureRequest request_;
  std::vector<sectile::FeatureLevel> all_;
  std::vector<sectile::nn::ConvNormAct> layers_;
};

// --- Strides that it cannot change: asking it for another is refused by the host. ---
class Rigid final : public sectile::Backbone {
 public:
  explicit Rigid(const BuildContext& context)
      : conv_(register_module("conv", nn::Conv2d(nn::Conv2dOptions(context.channels, 4, 3).stride(16)))) {}
  std::vector<Tensor> features(const Tensor& images) override { return {conv_->forward(images)}; }
  std::vector<sectile::FeatureLevel> levels() const override { return {{4, 16}}; }

 private:
  nn::Conv2d conv_{nullptr};
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::backbone<Tiny, TinyOptions>("toy_backbone", "Four strided convolutions."),
               sectile::backbone<Rigid>("toy_rigid", "One level of stride 16."))
