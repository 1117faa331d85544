// A convolution split into one per channel and one per pixel, each with its norm (Howard et al. 2017,
// arXiv:1704.04861).
#pragma once

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct DepthwiseSeparableConvOptions {
  int in_channels;
  int out_channels;
  int kernel_size = 3;  // odd, and padded so that stride 1 keeps the size
  int stride = 1;       // of the depthwise convolution, like the dilation
  int dilation = 1;
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  Activation depthwise_activation = Activation::relu;
  Activation pointwise_activation = Activation::relu;
};

struct DepthwiseSeparableConvNames {
  Names depthwise;
  Names pointwise;
};

// Four layers of `owner`. Not a module itself, like ConvNormAct.
class SECTILE_EXPORT DepthwiseSeparableConv final {
 public:
  DepthwiseSeparableConv(torch::nn::Module& owner, const DepthwiseSeparableConvNames& names,
                         const DepthwiseSeparableConvOptions& options);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, H, W] → [N, C', H', W']

 private:
  ConvNormAct depthwise_;
  ConvNormAct pointwise_;
};

}  // namespace sectile::nn
