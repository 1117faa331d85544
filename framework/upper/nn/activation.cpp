#include <sectile/nn/activation.h>

#include <ATen/ops/elu.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardtanh.h>
#include <ATen/ops/leaky_relu.h>
#include <ATen/ops/mish.h>
#include <ATen/ops/selu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/softplus.h>
#include <c10/core/GradMode.h>

namespace sectile::nn {

at::Tensor activate(at::Tensor input, Activation activation) {
  const bool goes_back = c10::GradMode::is_enabled() && input.requires_grad();
  switch (activation) {
    case Activation::none:
      return input;
    // Activations whose gradient can be computed from the result.
    case Activation::relu:
      return input.relu_();
    case Activation::relu6:
      return at::hardtanh_(input, 0, 6);
    case Activation::leaky_relu:
      return at::leaky_relu_(input);
    case Activation::elu:
      return at::elu_(input);
    case Activation::selu:
      return at::selu_(input);
    case Activation::sigmoid:
      return input.sigmoid_();
    case Activation::tanh:
      return input.tanh_();
    // Activations whose gradient needs the input.
    case Activation::gelu:
      return goes_back ? at::gelu(input) : at::gelu_(input);
    case Activation::gelu_tanh:
      return goes_back ? at::gelu(input, "tanh") : at::gelu_(input, "tanh");
    case Activation::silu:
      return goes_back ? at::silu(input) : at::silu_(input);
    case Activation::mish:
      return goes_back ? at::mish(input) : at::mish_(input);
    case Activation::hard_swish:
      return goes_back ? at::hardswish(input) : at::hardswish_(input);
    case Activation::hard_sigmoid:
      return goes_back ? at::hardsigmoid(input) : at::hardsigmoid_(input);
    case Activation::softplus:
      return goes_back ? at::softplus(input) : at::softplus_out(input, input);
  }
  return input;
}

}  // namespace sectile::nn
