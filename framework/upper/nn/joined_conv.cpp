#include "joined_conv.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/convolution_backward.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace sectile::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct JoinedConv : torch::autograd::Function<JoinedConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& a, const at::Tensor& b,
                            const at::Tensor& weight, const at::Tensor& bias, torch::nn::Conv2dImpl* conv) {
    context->save_for_backward({a, b, weight});
    const auto list = [](const torch::ExpandingArray<2>& pair) {
      return std::vector<std::int64_t>(pair->begin(), pair->end());
    };
    context->saved_data["stride"] = list(conv->options.stride());
    context->saved_data["padding"] = list(std::get<torch::ExpandingArray<2>>(conv->options.padding()));
    context->saved_data["dilation"] = list(conv->options.dilation());
    context->saved_data["groups"] = conv->options.groups();
    context->saved_data["has_bias"] = bias.defined();
    return conv->forward(at::cat({a, b}, 1));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto numbers = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const auto& gradient = gradients[0];
    const auto type = gradient.scalar_type();  // autocast's, where that was on
    const auto joined = at::cat({saved[0], saved[1]}, 1).to(type);
    const bool has_bias = context->saved_data["has_bias"].toBool();
    const std::vector<std::int64_t> bias_size{saved[2].size(0)};
    const bool to_input = context->needs_input_grad(0) || context->needs_input_grad(1);
    const auto [of_input, of_weight, of_bias] = at::convolution_backward(
        gradient, joined, saved[2].to(type), has_bias ? at::OptionalIntArrayRef(bias_size) : std::nullopt,
        numbers("stride"), numbers("padding"), numbers("dilation"), /*transposed=*/false, {0, 0},
        context->saved_data["groups"].toInt(), {to_input, true, has_bias});
    const auto part = [&](std::int64_t begin, const at::Tensor& like) {
      return to_input ? of_input.narrow(1, begin, like.size(1)).to(like.scalar_type()) : at::Tensor();
    };
    return {part(0, saved[0]), part(saved[0].size(1), saved[1]), of_weight.to(saved[2].scalar_type()),
            has_bias ? of_bias.to(saved[2].scalar_type()) : at::Tensor(), at::Tensor()};
  }
};

}  // namespace

at::Tensor joined_conv(torch::nn::Conv2dImpl& conv, const at::Tensor& a, const at::Tensor& b) {
  if (!c10::GradMode::is_enabled()) return conv.forward(at::cat({a, b}, 1));
  return JoinedConv::apply(a, b, conv.weight, conv.bias, &conv);
}

}  // namespace sectile::nn
