#include <sectile/nn/inverted_residual.h>

namespace sectile::nn {

InvertedResidual::InvertedResidual(const InvertedResidualOptions& options)
    : shortcut_(options.stride == 1 && options.in_channels == options.out_channels) {
  const auto sequence = register_module("conv", std::make_shared<torch::nn::Module>("Sequential"));
  const auto add = [&](const ConvNormActOptions& layer) {
    conv_.push_back(sequence->register_module(std::to_string(conv_.size()), std::make_shared<ConvNormAct>(layer)));
  };
  const int hidden = options.in_channels * options.expand_ratio;
  if (options.expand_ratio != 1)
    add({.in_channels = options.in_channels, .out_channels = hidden, .kernel_size = 1, .momentum = options.momentum});
  add({.in_channels = hidden,
       .out_channels = hidden,
       .kernel_size = 3,
       .stride = options.stride,
       .padding = 1,
       .groups = hidden,
       .momentum = options.momentum});
  add({.in_channels = hidden,
       .out_channels = options.out_channels,
       .kernel_size = 1,
       .activation = Activation::none,
       .momentum = options.momentum});
}
InvertedResidual::~InvertedResidual() = default;

at::Tensor InvertedResidual::forward(const at::Tensor& input) {
  auto x = input;
  for (const auto& layer : conv_) x = layer->forward(x);
  return shortcut_ ? input + x : x;
}

}  // namespace sectile::nn
