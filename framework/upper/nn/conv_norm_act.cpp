#include <sectile/nn/conv_norm_act.h>

#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <c10/core/GradMode.h>

#include <sectile/error.h>

#include "joined_conv.h"

namespace sectile::nn {

ConvNormActLayers::ConvNormActLayers(torch::nn::Module& owner, const std::string& conv_name,
                                     const std::string& norm_name, const ConvNormActOptions& options)
    : conv_(owner.register_module(
          conv_name, std::make_shared<torch::nn::Conv2dImpl>(
                         torch::nn::Conv2dOptions(options.in_channels, options.out_channels, options.kernel_size)
                             .stride(options.stride)
                             .padding(options.padding)
                             .groups(options.groups)
                             .bias(options.norm == Norm::none)))),
      activation_(options.activation) {
  if (options.norm == Norm::batch)
    norm_ = owner.register_module(norm_name,
                                  std::make_shared<torch::nn::BatchNorm2dImpl>(
                                      torch::nn::BatchNorm2dOptions(options.out_channels).momentum(options.momentum)));
}

at::Tensor ConvNormActLayers::forward(const at::Tensor& input) {
  return normalized_and_activated(conv_->forward(input));
}
at::Tensor ConvNormActLayers::forward(const at::Tensor& a, const at::Tensor& b) {
  return normalized_and_activated(joined_conv(*conv_, a, b));
}

// In place where autograd allows it: neither a convolution nor a norm needs its own result to go backward.
at::Tensor ConvNormActLayers::normalized_and_activated(const at::Tensor& convolved) {
  const auto x = normalized(convolved);
  return activation_ == Activation::relu ? x.relu_() : x;
}

at::Tensor ConvNormActLayers::normalized(const at::Tensor& x) {
  if (!norm_) return x;
  if (!norm_->is_training()) return norm_->forward(x);
  if (ranks_) return normalized_across_ranks(x);
  if (x.numel() == x.size(1))
    throw DataError("batch norm",
                    "training with one value per channel (one picture, 1 x 1 features), which has no "
                    "variance; train with two or more pictures per batch, or with larger pictures");
  return norm_->forward(x);
}

// In float32 at least, whatever autocast made of x: sums over a batch overflow half precision.
at::Tensor ConvNormActLayers::normalized_across_ranks(const at::Tensor& x) {
  const auto per_channel = [](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
  const auto values = x.scalar_type() == at::kDouble ? x : x.to(at::kFloat);
  const auto channels = x.size(1);
  const auto pixels = at::full({1}, x.numel() / channels, values.options());
  const auto all = ranks_->sum(at::cat({values.sum({0, 2, 3}), values.square().sum({0, 2, 3}), pixels}));
  const auto count = all[-1];
  const auto mean = all.slice(0, 0, channels) / count;
  const auto variance = all.slice(0, channels, 2 * channels) / count - mean.square();
  const double momentum = norm_->options.momentum().value();
  {
    const c10::AutoGradMode no_grad(false);
    norm_->running_mean.lerp_(mean, momentum);
    norm_->running_var.lerp_(variance * count / (count - 1), momentum);
    norm_->num_batches_tracked.add_(1);
  }
  const auto scale = (variance.clamp_min(0) + norm_->options.eps()).rsqrt() * norm_->weight;
  return ((values - per_channel(mean)) * per_channel(scale) + per_channel(norm_->bias)).to(x.scalar_type());
}

// The convolution takes the norm's registered bias for its own, so that it still moves with the module to a device.
void ConvNormActLayers::fold() {
  if (!norm_) return;
  const c10::AutoGradMode no_grad(false);
  const auto exact = [](const at::Tensor& tensor) { return tensor.to(at::kDouble); };
  const auto scale = exact(norm_->weight) / (exact(norm_->running_var) + norm_->options.eps()).sqrt();
  conv_->weight.copy_(exact(conv_->weight) * scale.view({-1, 1, 1, 1}));
  norm_->bias.copy_(exact(norm_->bias) - exact(norm_->running_mean) * scale);
  conv_->bias = norm_->bias;
  norm_ = nullptr;
}

void ConvNormActLayers::use(std::shared_ptr<const Ranks> ranks) { ranks_ = std::move(ranks); }

ConvNormAct::ConvNormAct(const ConvNormActOptions& options) : layers_(*this, "conv", "bn", options) {}
ConvNormAct::~ConvNormAct() = default;
at::Tensor ConvNormAct::forward(const at::Tensor& input) { return layers_.forward(input); }
void ConvNormAct::prepare_for_inference() { layers_.fold(); }
void ConvNormAct::use(std::shared_ptr<const Ranks> ranks) { layers_.use(std::move(ranks)); }

}  // namespace sectile::nn
