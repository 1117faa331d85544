// Activations by name, for layers that end in one.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// Their constants are PyTorch's defaults: leaky_relu's slope is 0.01, elu's alpha and softplus's beta are 1. gelu is
// the exact one, by the error function; gelu_tanh its approximation (Hendrycks and Gimpel 2016, arXiv:1606.08415).
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

// Of each element of a float tensor of any shape. May overwrite `input`, so hand over a result that nothing else reads
// and that no step of the way back needs: that of a convolution, a norm, a linear layer or a sum. While gradients are
// recorded it is overwritten only where the activation's own gradient can do with the result.
SECTILE_EXPORT at::Tensor activate(at::Tensor input, Activation activation);

}  // namespace sectile::nn
