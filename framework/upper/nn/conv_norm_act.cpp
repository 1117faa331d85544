#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

ConvNormAct::ConvNormAct(torch::nn::Module& owner, const Names& names, const ConvNormActOptions& options)
    : conv_(register_at(owner, names.conv,
                        std::make_shared<Conv>(ConvOptions{
                            .in_channels = options.in_channels,
                            .out_channels = options.out_channels,
                            .kernel_size = options.kernel_size,
                            .stride = options.stride,
                            .padding = options.padding,
                            .end_padding = options.end_padding,
                            .dilation = options.dilation,
                            .groups = options.groups,
                            .bias = options.bias.value_or(options.norm == Norm::none),
                            .transposed = options.transposed,
                            .dimensions = options.dimensions,
                            .activation = options.norm == Norm::none ? options.activation : Activation::none}))) {
  if (options.norm == Norm::none) return;
  norm_ = register_at(owner, names.norm,
                      std::make_shared<BatchNorm>(BatchNormOptions{.channels = options.out_channels,
                                                                   .eps = options.eps,
                                                                   .momentum = options.momentum,
                                                                   .frozen = options.norm == Norm::frozen_batch,
                                                                   .activation = options.activation},
                                                  conv_));
}

at::Tensor ConvNormAct::forward(const at::Tensor& input) const { return normalized(conv_->forward(input)); }
at::Tensor ConvNormAct::forward(const at::Tensor& a, const at::Tensor& b) const {
  return normalized(conv_->forward(a, b));
}

at::Tensor ConvNormAct::forward_added(const at::Tensor& input, at::Tensor shortcut, Activation activation) const {
  if (!norm_ || norm_->is_folded()) return conv_->forward_added(input, std::move(shortcut), activation);
  const auto output = forward(input);
  // The backward pass of a norm does not need its output; that of an activation does.
  const bool may_overwrite = norm_->options.activation == Activation::none;
  return activate(may_overwrite ? output.add_(shortcut) : output + shortcut, activation);
}

at::Tensor ConvNormAct::normalized(const at::Tensor& convolved) const {
  return norm_ ? norm_->forward(convolved) : convolved;
}

}  // namespace sectile::nn
