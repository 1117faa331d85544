// A convolution split into one per channel and one per pixel, each with its norm (Howard et al. 2017,
// arXiv:1704.04861).
#pragma once

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct DepthwiseSeparableConvOptions {
  int in_channels;
  int out_channels;
  int kernel_size = 3;  // padded so that stride 1 keeps the size
  int stride = 1;
  Activation depthwise_activation = Activation::relu;
  double momentum = 0.1;
};

// Names of mmcv's DepthwiseSeparableConvModule: depthwise_conv.*, pointwise_conv.*.
class SECTILE_EXPORT DepthwiseSeparableConv final : public torch::nn::Module {
 public:
  explicit DepthwiseSeparableConv(const DepthwiseSeparableConvOptions& options);
  ~DepthwiseSeparableConv() override;
  at::Tensor forward(const at::Tensor& input);  // float [N, C, H, W] → [N, C', H', W']

 private:
  std::shared_ptr<ConvNormAct> depthwise_;
  std::shared_ptr<ConvNormAct> pointwise_;
};

}  // namespace sectile::nn
