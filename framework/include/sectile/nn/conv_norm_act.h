// Convolution, norm, activation: the basic block of most networks.
#pragma once

#include <memory>
#include <optional>

#include <sectile/nn/activation.h>
#include <sectile/nn/batch_norm.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/names.h>

namespace sectile::nn {

enum class Norm { none, batch, frozen_batch };

struct ConvNormActOptions {
  int in_channels;
  int out_channels;
  PerAxis kernel_size;
  PerAxis stride = 1;
  PerAxis padding = 0;
  PerAxis end_padding = 0;
  PerAxis dilation = 1;
  int groups = 1;
  bool transposed = false;
  int dimensions = 2;
  std::optional<bool> bias{};  // default: if no norm follows
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  Activation activation = Activation::relu;
};

// Two layers, registered in `owner` at the given paths. Not a module itself: the layers implement their roles, so the
// owner does not forward them. Copies share the layers.
class SECTILE_EXPORT ConvNormAct final {
 public:
  ConvNormAct(torch::nn::Module& owner, const Names& names, const ConvNormActOptions& options);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, (D,) H, W] → [N, C', (D',) H', W']
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b) const;  // of cat({a, b}, 1)
  // activation(forward(input) + shortcut), for the last layer of a residual block. shortcut: of the result's shape.
  // Move it in where it is not used afterwards: inference then adds to it in place, unless something else holds it too.
  at::Tensor forward_added(const at::Tensor& input, at::Tensor shortcut,
                           Activation activation = Activation::none) const;

 private:
  at::Tensor normalized(const at::Tensor& convolved) const;

  std::shared_ptr<Conv> conv_;
  std::shared_ptr<BatchNorm> norm_;  // null: none
};

}  // namespace sectile::nn
