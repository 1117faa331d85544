#include "joined_conv.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

namespace sectile::nn {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct JoinedConv : torch::autograd::Function<JoinedConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& a, const at::Tensor& b,
                            const at::Tensor& weight, const torch::nn::detail::ConvNdOptions<2>& options) {
    const auto list = [](const torch::ExpandingArray<2>& pair) {
      return std::vector<std::int64_t>(pair->begin(), pair->end());
    };
    const auto stride = list(options.stride()), dilation = list(options.dilation());
    const auto padding = list(std::get<torch::ExpandingArray<2>>(options.padding()));
    context->save_for_backward({a, b, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["dilation"] = dilation;
    context->saved_data["groups"] = options.groups();
    return at::conv2d(at::cat({a, b}, 1), weight, {}, stride, padding, dilation, options.groups());
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto numbers = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const auto& gradient = gradients[0];
    const auto type = gradient.scalar_type();  // autocast's, where that was on
    const auto joined = at::cat({saved[0], saved[1]}, 1).to(type);
    const auto [of_input, of_weight, of_bias] = at::convolution_backward(
        gradient, joined, saved[2].to(type), std::nullopt, numbers("stride"), numbers("padding"), numbers("dilation"),
        /*transposed=*/false, {0, 0}, context->saved_data["groups"].toInt(), {true, true, false});
    const auto width = saved[0].size(1);
    return {of_input.narrow(1, 0, width).to(saved[0].scalar_type()),
            of_input.narrow(1, width, saved[1].size(1)).to(saved[1].scalar_type()),
            of_weight.to(saved[2].scalar_type()), at::Tensor()};
  }
};

}  // namespace

at::Tensor joined_conv(torch::nn::Conv2dImpl& conv, const at::Tensor& a, const at::Tensor& b) {
  if (!c10::GradMode::is_enabled()) return conv.forward(at::cat({a, b}, 1));
  const auto convolved = JoinedConv::apply(a, b, conv.weight, conv.options);
  return conv.bias.defined() ? convolved + conv.bias.view({1, -1, 1, 1}) : convolved;
}

}  // namespace sectile::nn
