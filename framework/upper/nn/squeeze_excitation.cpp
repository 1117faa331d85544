#include <sectile/nn/squeeze_excitation.h>

#include <ATen/ops/adaptive_avg_pool2d.h>

#include <sectile/nn/names.h>

namespace sectile::nn {
namespace {

std::shared_ptr<Conv> per_pixel(torch::nn::Module& owner, const std::string& path, int in, int out) {
  return register_at(owner, path,
                     std::make_shared<Conv>(ConvOptions{.in_channels = in, .out_channels = out, .kernel_size = 1}));
}

}  // namespace

SqueezeExcitation::SqueezeExcitation(torch::nn::Module& owner, const SqueezeExcitationNames& names,
                                     const SqueezeExcitationOptions& options)
    : reduce_(per_pixel(owner, names.reduce, options.channels, options.squeezed_channels)),
      expand_(per_pixel(owner, names.expand, options.squeezed_channels, options.channels)),
      activation_(options.activation),
      gate_(options.gate) {}

at::Tensor SqueezeExcitation::forward(const at::Tensor& input) const {
  const auto squeezed = activate(reduce_->forward(at::adaptive_avg_pool2d(input, {1, 1})), activation_);
  return input * activate(expand_->forward(squeezed), gate_);
}

}  // namespace sectile::nn
