#include <sectile/nn/conv.h>

#include <algorithm>
#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/conv_transpose3d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/nn/init.h>

#include <sectile/error.h>
#include <sectile/nn/inference.h>

#include "cpu/packed_conv.h"

namespace sectile::nn {
namespace {

using Axes = std::vector<std::int64_t>;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Not at::convolution, which covers all four: autocast does not support it.
at::Tensor convolve(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                    const Axes& stride, const Axes& padding, const Axes& dilation, std::int64_t groups) {
  return weight.dim() == 5 ? at::conv3d(input, weight, bias, stride, padding, dilation, groups)
                           : at::conv2d(input, weight, bias, stride, padding, dilation, groups);
}

struct JoinedConv : torch::autograd::Function<JoinedConv> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& a, const at::Tensor& b,
                            const at::Tensor& weight, const std::optional<at::Tensor>& bias, const Axes& stride,
                            const Axes& padding, const Axes& dilation, std::int64_t groups) {
    context->save_for_backward({a, b, weight});
    context->saved_data["stride"] = stride;
    context->saved_data["padding"] = padding;
    context->saved_data["dilation"] = dilation;
    context->saved_data["groups"] = groups;
    context->saved_data["bias"] = bias ? bias->scalar_type() : at::ScalarType::Undefined;
    return convolve(at::cat({a, b}, 1), weight, bias, stride, padding, dilation, groups);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const auto axes = [&](const char* name) { return context->saved_data[name].toIntVector(); };
    const auto& gradient = gradients[0];
    const auto type = gradient.scalar_type();  // the autocast type if autocast is on
    const auto bias_type = context->saved_data["bias"].toScalarType();
    const bool has_bias = bias_type != at::ScalarType::Undefined;
    const auto [of_input, of_weight, of_bias] =
        at::convolution_backward(gradient, at::cat({saved[0], saved[1]}, 1).to(type), saved[2].to(type),
                                 gradient.sizes().slice(1, 1), axes("stride"), axes("padding"), axes("dilation"),
                                 /*transposed=*/false, Axes(static_cast<std::size_t>(gradient.dim() - 2)),
                                 context->saved_data["groups"].toInt(), {true, true, has_bias});
    const auto width = saved[0].size(1);
    return {of_input.narrow(1, 0, width).to(saved[0].scalar_type()),
            of_input.narrow(1, width, saved[1].size(1)).to(saved[1].scalar_type()),
            of_weight.to(saved[2].scalar_type()),
            has_bias ? of_bias.to(bias_type) : at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor(),
            at::Tensor()};
  }
};

Axes unless_zeros(Axes axes) {
  return std::all_of(axes.begin(), axes.end(), [](auto axis) { return axis == 0; }) ? Axes{} : axes;
}

const ConvOptions& checked(const ConvOptions& options) {
  if (options.dimensions != 2 && options.dimensions != 3)
    throw PluginError("convolution", "has " + std::to_string(options.dimensions) + " dimensions, and works in 2 or 3");
  if (options.in_channels < 1 || options.out_channels < 1)
    throw PluginError("convolution", "cannot take " + std::to_string(options.in_channels) + " channels to " +
                                         std::to_string(options.out_channels) +
                                         ": there must be at least 1 of each; make the network wider");
  if (options.groups < 1 || options.in_channels % options.groups != 0 || options.out_channels % options.groups != 0)
    throw PluginError("convolution", "cannot take " + std::to_string(options.in_channels) + " channels to " +
                                         std::to_string(options.out_channels) + " in " +
                                         std::to_string(options.groups) +
                                         " groups; give numbers of channels that the groups divide");
  if (options.transposed && !unless_zeros(options.end_padding.of(options.dimensions)).empty())
    throw PluginError("convolution", "is transposed and has end_padding, which only others have; use output_padding");
  return options;
}

// [C] in this shape, with a 1 per axis of the kernel
at::Tensor beside_axes(const at::Tensor& per_channel, std::vector<std::int64_t> shape, int axes) {
  shape.resize(shape.size() + static_cast<std::size_t>(axes), 1);
  return per_channel.view(shape);
}

}  // namespace

std::vector<std::int64_t> PerAxis::of(int dimensions) const {
  const auto wanted = static_cast<std::size_t>(dimensions);
  if (values_.size() == 1) return Axes(wanted, values_[0]);
  if (values_.size() == wanted) return values_;
  throw PluginError("convolution", "was given " + std::to_string(values_.size()) + " numbers for " +
                                       std::to_string(dimensions) + " axes; give one for all, or one for each");
}

Conv::Conv(const ConvOptions& wanted)
    : options(checked(wanted)),
      kernel_(options.kernel_size.of(options.dimensions)),
      stride_(options.stride.of(options.dimensions)),
      padding_(options.padding.of(options.dimensions)),
      dilation_(options.dilation.of(options.dimensions)),
      output_padding_(options.output_padding.of(options.dimensions)),
      end_padding_(unless_zeros(options.end_padding.of(options.dimensions))),
      activation_(options.activation) {
  Axes shape = options.transposed ? Axes{options.in_channels, options.out_channels / options.groups}
                                  : Axes{options.out_channels, options.in_channels / options.groups};
  shape.insert(shape.end(), kernel_.begin(), kernel_.end());
  weight = register_parameter("weight", at::empty(shape));
  torch::nn::init::kaiming_uniform_(weight, std::sqrt(5.0));
  if (!options.bias) return;
  bias = register_parameter("bias", at::empty({options.out_channels}));
  const auto fan_in = std::get<0>(torch::nn::init::_calculate_fan_in_and_fan_out(weight));
  const double bound = 1 / std::sqrt(static_cast<double>(fan_in));
  torch::nn::init::uniform_(bias, -bound, bound);
}
Conv::~Conv() = default;

at::Tensor Conv::padded(const at::Tensor& input) const {
  if (end_padding_.empty()) return input;
  Axes pads;  // of the last axis first: before, after
  for (auto axis = end_padding_.rbegin(); axis != end_padding_.rend(); ++axis) pads.insert(pads.end(), {0, *axis});
  return at::constant_pad_nd(input, pads);
}

at::Tensor Conv::forward(const at::Tensor& input) const {
  if (packed_) return packed_->forward(padded(input));
  return activate(convolved(input), activation_);
}

at::Tensor Conv::convolved(const at::Tensor& input) const {
  if (!options.transposed) return convolve(padded(input), weight, bias, stride_, padding_, dilation_, options.groups);
  return options.dimensions == 3
             ? at::conv_transpose3d(input, weight, bias, stride_, padding_, output_padding_, options.groups, dilation_)
             : at::conv_transpose2d(input, weight, bias, stride_, padding_, output_padding_, options.groups, dilation_);
}

at::Tensor Conv::forward(const at::Tensor& a, const at::Tensor& b) const {
  if (options.transposed) throw PluginError("convolution", "joins two inputs only where it is not transposed");
  if (!c10::GradMode::is_enabled()) return forward(at::cat({a, b}, 1));
  const auto optional_bias = bias.defined() ? std::optional<at::Tensor>(bias) : std::nullopt;
  return activate(JoinedConv::apply(padded(a), padded(b), weight, optional_bias, stride_, padding_, dilation_,
                                    static_cast<std::int64_t>(options.groups)),
                  activation_);
}

at::Tensor Conv::forward_added(const at::Tensor& input, at::Tensor shortcut, Activation activation) const {
  if (packed_) return packed_->forward_added(padded(input), std::move(shortcut), activation);
  const auto output = forward(input);
  // The backward pass of a convolution does not need its output; that of an activation does.
  return activate(activation_ == Activation::none ? output.add_(shortcut) : output + shortcut, activation);
}

void Conv::prepare_for_inference(const InferencePlan& plan) {
  if (expects_fold_ || packed_) return;
  const auto input = plan.verify ? example_input() : at::Tensor();
  const auto before = plan.verify ? forward(input) : at::Tensor();
  keep(weight, bias, plan);
  if (plan.verify)
    require_same("convolution", before, forward(input.to(weight.device(), weight.scalar_type())), plan.precision);
}

void Conv::expect_fold() {
  if (expects_fold_)
    throw PluginError("convolution", "is followed by two norms, and can take in one; make them without it");
  expects_fold_ = true;
}

void Conv::fold(const at::Tensor& scale, const at::Tensor& shift, Activation activation, const InferencePlan& plan) {
  activation_ = activation;
  const auto exact = weight.to(at::kDouble);
  const int axes = options.dimensions;
  // A transposed weight has groups along the input channels, and the outputs of each group in the next dimension.
  const auto folded =
      options.transposed
          ? (exact.unflatten(0, {options.groups, -1}) * beside_axes(scale, {options.groups, 1, -1}, axes)).flatten(0, 1)
          : exact * beside_axes(scale, {-1, 1}, axes);
  keep(folded.to(weight.scalar_type() == at::kDouble ? at::kDouble : plan.precision),
       bias.defined() ? bias.to(at::kDouble) * scale + shift : shift, plan);
}

void Conv::keep(const at::Tensor& new_weight, const at::Tensor& new_bias, const InferencePlan& plan) {
  const auto converted = planned(new_weight, plan);
  if (new_bias.defined()) {
    const auto kept = planned(new_bias, plan).to(converted.scalar_type());
    if (bias.defined())
      bias.set_data(kept);
    else
      bias = register_parameter("bias", kept, /*requires_grad=*/false);
  }
  packed_ = PackedConv::make(options, converted, bias, activation_, plan);
  weight.set_data(packed_ ? at::empty({0}, converted.options()) : converted);
}

at::Tensor Conv::example_input() const {
  Axes shape{2, options.in_channels};
  std::int64_t count = shape[0] * shape[1];
  for (std::size_t i = 0; i < kernel_.size(); ++i) {
    shape.push_back(options.transposed ? 3 : dilation_[i] * (kernel_[i] - 1) + 1 + stride_[i]);
    count *= shape.back();
  }
  return at::arange(count, weight.options().dtype(at::kDouble)).sin_().view(shape).to(weight.scalar_type());
}

}  // namespace sectile::nn
