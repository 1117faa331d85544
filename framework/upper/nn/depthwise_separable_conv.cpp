#include <sectile/nn/depthwise_separable_conv.h>

namespace sectile::nn {

DepthwiseSeparableConv::DepthwiseSeparableConv(const DepthwiseSeparableConvOptions& options)
    : depthwise_(register_module(
          "depthwise_conv", std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = options.in_channels,
                                                                             .out_channels = options.in_channels,
                                                                             .kernel_size = options.kernel_size,
                                                                             .stride = options.stride,
                                                                             .padding = options.kernel_size / 2,
                                                                             .groups = options.in_channels,
                                                                             .activation = options.depthwise_activation,
                                                                             .momentum = options.momentum}))),
      pointwise_(register_module("pointwise_conv",
                                 std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = options.in_channels,
                                                                                  .out_channels = options.out_channels,
                                                                                  .kernel_size = 1,
                                                                                  .momentum = options.momentum}))) {}
DepthwiseSeparableConv::~DepthwiseSeparableConv() = default;

at::Tensor DepthwiseSeparableConv::forward(const at::Tensor& input) {
  return pointwise_->forward(depthwise_->forward(input));
}

}  // namespace sectile::nn
