#include "packed_conv.h"

#include <optional>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>

namespace sectile::nn {
namespace {

using Shape = at::IntArrayRef;
using Numbers = c10::List<std::optional<at::Scalar>>;
using MaybeText = std::optional<std::string_view>;
using MaybeTensor = std::optional<at::Tensor>;
using Tensor = at::Tensor;

template <class Signature>
c10::TypedOperatorHandle<Signature> operator_named(const char* name, const char* overload) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, overload).typed<Signature>();
}

const auto& reordered() {
  static const auto op =
      operator_named<Tensor(const Tensor&, Shape, Shape, Shape, std::int64_t, at::OptionalIntArrayRef)>(
          "mkldnn::_reorder_convolution_weight", "");
  return op;
}

const auto& pointwise() {
  static const auto op =
      operator_named<Tensor(const Tensor&, const Tensor&, const MaybeTensor&, Shape, Shape, Shape, std::int64_t,
                            std::string_view, Numbers, MaybeText)>("mkldnn::_convolution_pointwise", "");
  return op;
}

const auto& pointwise_added() {
  static const auto op =
      operator_named<Tensor&(Tensor&, const Tensor&, const Tensor&, const MaybeTensor&, Shape, Shape, Shape,
                             std::int64_t, std::string_view, std::optional<at::Scalar>, MaybeText, Numbers, MaybeText)>(
          "mkldnn::_convolution_pointwise_", "binary");
  return op;
}

// An activation as these operators know it; no name: they do not.
struct Fused {
  const char* name = nullptr;
  std::vector<double> numbers{};
  MaybeText algorithm{};
};

Fused fused(Activation activation) {
  switch (activation) {
    case Activation::none:
      return {"none"};
    case Activation::relu:
      return {"relu"};
    case Activation::relu6:
      return {"hardtanh", {0, 6}};
    case Activation::leaky_relu:
      return {"leaky_relu", {0.01}};
    case Activation::gelu:
      return {"gelu", {}, "none"};
    case Activation::gelu_tanh:
      return {"gelu", {}, "tanh"};
    case Activation::silu:
      return {"swish"};
    case Activation::hard_swish:
      return {"hardswish"};
    case Activation::hard_sigmoid:
      return {"hardsigmoid"};
    case Activation::sigmoid:
      return {"sigmoid"};
    case Activation::tanh:
      return {"tanh"};
    default:
      return {};
  }
}

Numbers numbers(const Fused& activation) {
  Numbers list;
  for (const double number : activation.numbers) list.push_back(at::Scalar(number));
  return list;
}

bool serves(const ConvOptions& options, const Tensor& weight, const InferencePlan& plan) {
  static const bool has_bfloat16 = operator_named<bool()>("mkldnn::_is_mkldnn_bf16_supported", "").call();
  const auto type = weight.scalar_type();
  return !options.transposed && options.dimensions == 2 && plan.device.is_cpu() &&
         plan.format == at::MemoryFormat::ChannelsLast && at::globalContext().userEnabledMkldnn() &&
         (type == at::kFloat || (type == at::kBFloat16 && has_bfloat16));
}

}  // namespace

PackedConv::PackedConv(const ConvOptions& options, Activation activation)
    : stride_(options.stride.of(2)),
      padding_(options.padding.of(2)),
      dilation_(options.dilation.of(2)),
      groups_(options.groups),
      activation_(activation) {}

std::shared_ptr<const PackedConv> PackedConv::make(const ConvOptions& options, const Tensor& weight, const Tensor& bias,
                                                   Activation activation, const InferencePlan& plan) {
  if (!plan.pack || !serves(options, weight, plan)) return nullptr;
  std::shared_ptr<PackedConv> packed(new PackedConv(options, activation));
  packed->weight_ =
      reordered().call(weight, packed->padding_, packed->stride_, packed->dilation_, packed->groups_, std::nullopt);
  if (bias.defined()) packed->bias_ = bias;
  return packed;
}

Tensor PackedConv::forward(const Tensor& input) const {
  const auto activation = fused(activation_);
  const auto output =
      pointwise().call(input.to(weight_.scalar_type()), weight_, bias_, padding_, stride_, dilation_, groups_,
                       activation.name ? activation.name : "none", numbers(activation), activation.algorithm);
  return activation.name ? output : activate(output, activation_);
}

Tensor PackedConv::forward_added(const Tensor& input, Tensor shortcut, Activation activation) const {
  const auto type = weight_.scalar_type();
  // Whoever else holds the shortcut, or shares its memory, must not see it change.
  const bool is_free = shortcut.use_count() == 1 && shortcut.storage().use_count() == 1 &&
                       shortcut.is_contiguous(at::MemoryFormat::ChannelsLast) && shortcut.scalar_type() == type;
  if (activation_ != Activation::none || !is_free) return activate(forward(input).add_(shortcut), activation);
  // After a sum, the operator knows no other activation.
  const bool fuses_relu = activation == Activation::relu;
  pointwise_added().call(shortcut, input.to(type), weight_, bias_, padding_, stride_, dilation_, groups_, "add",
                         at::Scalar(1.0), fuses_relu ? MaybeText("relu") : std::nullopt, Numbers(), std::nullopt);
  return fuses_relu ? shortcut : activate(std::move(shortcut), activation);
}

}  // namespace sectile::nn
