// 3x3 convolutions of stride 1 by Winograd's minimal filtering, F(4x4, 3x3): a tile of 4x4 outputs takes 36
// multiplications per pair of channels where the sum over the kernel takes 144. Lavin and Gray 2016, "Fast algorithms
// for convolutional neural networks", https://arxiv.org/abs/1509.09308. In float32 its rounding is of the size of that
// of the usual sum.
#pragma once

#include <cstdint>
#include <memory>

#include <ATen/core/Tensor.h>

#include <sectile/nn/conv.h>

namespace sectile::nn {

class WinogradConv final {
 public:
  // Whether this form serves these options at all, on this processor: 3x3, stride 1, padding that keeps the size, no
  // groups, float32, channels in blocks of 16, AVX-512.
  static bool serves(const ConvOptions& options, at::ScalarType type);
  // Whether it takes less time than the usual sum for images of this shape, [N, C, H, W]: the transformed weights are
  // four times as large, and tiles reach over the edges of small images.
  static bool pays(const ConvOptions& options, at::IntArrayRef input);

  // weight: [C', C, 3, 3]; bias: [C'], or undefined. Takes memory for 36 * C * C' numbers.
  WinogradConv(const ConvOptions& options, const at::Tensor& weight, const at::Tensor& bias);

  // output, [N, C', H, W], becomes conv(input), after ReLU if `relu`; with `adds`, conv(input) is added to what it
  // holds, before ReLU. Both float32 with channels last.
  void forward(const at::Tensor& input, const at::Tensor& output, bool adds, bool relu) const;

 private:
  std::int64_t in_channels_, out_channels_, dilation_;
  at::Tensor weight_;  // [36, C * C']: transformed, in the order of the product
  at::Tensor bias_;    // [C']
};

}  // namespace sectile::nn
