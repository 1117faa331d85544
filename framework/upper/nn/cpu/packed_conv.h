// A convolution of images on the CPU by oneDNN, with its weights in oneDNN's own order and its activation, and the sum
// with a shortcut, in the same pass: LibTorch's operators mkldnn::_convolution_pointwise, which its compiler uses.
// Where that takes less time, by WinogradConv.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/nn/conv.h>

#include "winograd.h"

namespace sectile::nn {

class PackedConv final {
 public:
  // Null where oneDNN does not serve: transposed, volumes, another device, precision or memory format. weight: [C', C /
  // groups, kH, kW], bias: [C'], or undefined, both as the plan says.
  static std::shared_ptr<const PackedConv> make(const ConvOptions& options, const at::Tensor& weight,
                                                const at::Tensor& bias, Activation activation,
                                                const InferencePlan& plan);
  at::Tensor forward(const at::Tensor& input) const;  // activation(conv(input)); input: [N, C, H, W], padded
  // activation(conv(input) + shortcut), for a convolution that has no activation itself.
  at::Tensor forward_added(const at::Tensor& input, at::Tensor shortcut, Activation activation) const;

 private:
  PackedConv(const ConvOptions& options, const at::Tensor& weight, const at::Tensor& bias, Activation activation);
  at::Tensor weight_for(at::IntArrayRef input) const;
  const WinogradConv* winograd_for(const at::Tensor& input) const;  // null: the usual sum takes less time

  ConvOptions options_;
  std::vector<std::int64_t> stride_, padding_, dilation_;
  Activation activation_;
  at::ScalarType type_;
  std::optional<at::Tensor> bias_;
  mutable std::mutex mutex_;                             // of what follows, which depends on the images that come
  mutable at::Tensor weight_;                            // opaque once it is packed
  mutable std::vector<std::int64_t> packed_for_, last_;  // shapes of inputs
  mutable std::unique_ptr<const WinogradConv> winograd_;
};

}  // namespace sectile::nn
