#include <sectile/nn/inverted_residual.h>

namespace sectile::nn {

InvertedResidual::InvertedResidual(torch::nn::Module& owner, const InvertedResidualNames& names,
                                   const InvertedResidualOptions& options)
    : shortcut_(options.shortcut && options.stride == 1 && options.in_channels == options.out_channels) {
  const int hidden = options.hidden_channels.value_or(options.in_channels * options.expand_ratio);
  const auto add = [&](const Names& where, ConvNormActOptions layer) {
    layer.norm = options.norm;
    layer.eps = options.eps;
    layer.momentum = options.momentum;
    layers_.emplace_back(owner, where, layer);
  };
  if (hidden != options.in_channels)
    add(names.expand, {.in_channels = options.in_channels,
                       .out_channels = hidden,
                       .kernel_size = 1,
                       .activation = options.activation});
  add(names.depthwise, {.in_channels = hidden,
                        .out_channels = hidden,
                        .kernel_size = options.kernel_size,
                        .stride = options.stride,
                        .padding = options.kernel_size / 2 * options.dilation,
                        .dilation = options.dilation,
                        .groups = hidden,
                        .activation = options.activation});
  add(names.project,
      {.in_channels = hidden, .out_channels = options.out_channels, .kernel_size = 1, .activation = Activation::none});
}

at::Tensor InvertedResidual::forward(const at::Tensor& input) const {
  auto x = input;
  for (const auto& layer : layers_) x = layer.forward(x);
  return shortcut_ ? input + x : x;
}

}  // namespace sectile::nn
