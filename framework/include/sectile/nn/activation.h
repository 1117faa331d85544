// Activations by name, for layers with an activation.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// Constants are PyTorch's defaults: leaky_relu's slope is 0.01, elu's alpha and softplus's beta are 1. gelu is exact,
// with the error function; gelu_tanh is its approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415).
enum class Activation {
  none,
  relu,
  relu6,
  leaky_relu,
  elu,
  selu,
  gelu,
  gelu_tanh,
  silu,
  mish,
  hard_swish,
  hard_sigmoid,
  sigmoid,
  tanh,
  softplus
};

// Elementwise, for a float tensor of any shape. May overwrite `input`, so pass a result that is not used elsewhere and
// not needed by the backward pass: that of a convolution, a norm, a linear layer or a sum. While gradients are
// recorded, it is overwritten only if the activation's gradient can be computed from the result.
SECTILE_EXPORT at::Tensor activate(at::Tensor input, Activation activation);

}  // namespace sectile::nn
