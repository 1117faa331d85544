#include <sectile/nn/depthwise_separable_conv.h>

namespace sectile::nn {

DepthwiseSeparableConv::DepthwiseSeparableConv(torch::nn::Module& owner, const DepthwiseSeparableConvNames& names,
                                               const DepthwiseSeparableConvOptions& options)
    : depthwise_(owner, names.depthwise,
                 {.in_channels = options.in_channels,
                  .out_channels = options.in_channels,
                  .kernel_size = options.kernel_size,
                  .stride = options.stride,
                  .padding = options.kernel_size / 2 * options.dilation,
                  .dilation = options.dilation,
                  .groups = options.in_channels,
                  .norm = options.norm,
                  .eps = options.eps,
                  .momentum = options.momentum,
                  .activation = options.depthwise_activation}),
      pointwise_(owner, names.pointwise,
                 {.in_channels = options.in_channels,
                  .out_channels = options.out_channels,
                  .kernel_size = 1,
                  .norm = options.norm,
                  .eps = options.eps,
                  .momentum = options.momentum,
                  .activation = options.pointwise_activation}) {}

at::Tensor DepthwiseSeparableConv::forward(const at::Tensor& input) const {
  return pointwise_.forward(depthwise_.forward(input));
}

}  // namespace sectile::nn
