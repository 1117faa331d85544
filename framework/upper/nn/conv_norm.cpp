#include <sectile/nn/conv_norm.h>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

namespace sectile::nn {

ConvNorm::ConvNorm(int in, int out, int kernel, int stride)
    : conv_(register_module(
          "conv",
          torch::nn::Conv2d(torch::nn::Conv2dOptions(in, out, kernel).stride(stride).padding(kernel / 2).bias(false)))),
      norm_(register_module("norm", torch::nn::BatchNorm2d(out))) {}
ConvNorm::~ConvNorm() = default;

at::Tensor ConvNorm::forward(const at::Tensor& input) {
  const auto x = conv_->forward(input);
  if (folded_) return x.relu();
  return (ranks_ && is_training() ? normalized_across_ranks(x) : norm_->forward(x)).relu();
}

void ConvNorm::use(std::shared_ptr<const Ranks> ranks) { ranks_ = std::move(ranks); }

at::Tensor ConvNorm::normalized_across_ranks(const at::Tensor& x) {
  const auto per_channel = [](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
  const auto local =
      at::cat({x.sum({0, 2, 3}), x.square().sum({0, 2, 3}), at::full({1}, x.numel() / x.size(1), x.options())});
  const auto all = ranks_->sum(local);  // one message: sums, squares, pixels
  const auto count = all[-1];
  const auto mean = all.slice(0, 0, x.size(1)) / count,
             variance = all.slice(0, x.size(1), 2 * x.size(1)) / count - mean.square();
  {
    const c10::AutoGradMode no_grad(false);
    norm_->running_mean.lerp_(mean, norm_->options.momentum().value());
    norm_->running_var.lerp_(variance * count / (count - 1), norm_->options.momentum().value());
    norm_->num_batches_tracked.add_(1);
  }
  return (x - per_channel(mean)) * per_channel((variance + norm_->options.eps()).rsqrt() * norm_->weight) +
         per_channel(norm_->bias);
}

void ConvNorm::prepare_for_inference() {
  const auto scale = norm_->weight / (norm_->running_var + norm_->options.eps()).sqrt();
  conv_->weight.mul_(scale.view({-1, 1, 1, 1}));
  conv_->bias = norm_->bias - norm_->running_mean * scale;
  folded_ = true;
}

}  // namespace sectile::nn
