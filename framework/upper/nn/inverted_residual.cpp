#include <sectile/nn/inverted_residual.h>

#include <ATen/TensorOperators.h>

#include <sectile/nn/stochastic_depth.h>

namespace sectile::nn {

InvertedResidual::InvertedResidual(torch::nn::Module& owner, const InvertedResidualNames& names,
                                   const InvertedResidualOptions& options)
    : owner_(&owner),
      shortcut_(options.shortcut && options.stride == 1 && options.in_channels == options.out_channels),
      drop_path_rate_(options.drop_path_rate) {
  const int hidden = options.hidden_channels.value_or(options.in_channels * options.expand_ratio);
  const auto layer = [&](const Names& where, ConvNormActOptions its) {
    its.norm = options.norm;
    its.eps = options.eps;
    its.momentum = options.momentum;
    return ConvNormAct(owner, where, its);
  };
  if (hidden != options.in_channels)
    layers_.push_back(layer(names.expand, {.in_channels = options.in_channels,
                                           .out_channels = hidden,
                                           .kernel_size = 1,
                                           .activation = options.activation}));
  layers_.push_back(
      layer(names.depthwise, {.in_channels = hidden,
                              .out_channels = hidden,
                              .kernel_size = options.kernel_size,
                              .stride = options.stride,
                              .padding = options.padding.value_or(options.kernel_size / 2 * options.dilation),
                              .end_padding = options.end_padding,
                              .dilation = options.dilation,
                              .groups = hidden,
                              .activation = options.activation}));
  if (options.squeezed_channels > 0)
    squeeze_.emplace(owner, names.squeeze,
                     SqueezeExcitationOptions{.channels = hidden,
                                              .squeezed_channels = options.squeezed_channels,
                                              .activation = options.squeezed_activation,
                                              .gate = options.gate});
  project_ = layer(
      names.project,
      {.in_channels = hidden, .out_channels = options.out_channels, .kernel_size = 1, .activation = Activation::none});
}

at::Tensor InvertedResidual::forward(at::Tensor input) const {
  auto x = input;
  for (const auto& layer : layers_) x = layer.forward(x);
  if (squeeze_) x = squeeze_->forward(x);
  if (!shortcut_) return project_->forward(x);
  if (drop_path_rate_ > 0 && owner_->is_training())
    return stochastic_depth(project_->forward(x), drop_path_rate_, /*training=*/true) + input;
  return project_->forward_added(x, std::move(input));
}

}  // namespace sectile::nn
