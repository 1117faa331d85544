#include "packed_conv.h"

#include <optional>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/core/List.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/ops/empty.h>

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

// The weights in LibTorch's order; oneDNN has one more dimension for groups.
Tensor dense(const Tensor& packed) {
  const auto weight = packed.to_dense();
  return weight.dim() == 5 ? weight.flatten(0, 1) : weight;
}

bool serves(const ConvOptions& options, const Tensor& weight, const InferencePlan& plan) {
  static const bool has_bfloat16 = operator_named<bool()>("mkldnn::_is_mkldnn_bf16_supported", "").call();
  const auto type = weight.scalar_type();
  return !options.transposed && options.dimensions == 2 && plan.device.is_cpu() &&
         plan.format == at::MemoryFormat::ChannelsLast && at::globalContext().userEnabledMkldnn() &&
         (type == at::kFloat || (type == at::kBFloat16 && has_bfloat16));
}

}  // namespace

PackedConv::PackedConv(const ConvOptions& options, const Tensor& weight, const Tensor& bias, Activation activation)
    : options_(options),
      stride_(options.stride.of(2)),
      padding_(options.padding.of(2)),
      dilation_(options.dilation.of(2)),
      activation_(activation),
      type_(weight.scalar_type()),
      weight_(weight.detach()) {  // the layer empties its own
  if (bias.defined()) bias_ = bias;
}

std::shared_ptr<const PackedConv> PackedConv::make(const ConvOptions& options, const Tensor& weight, const Tensor& bias,
                                                   Activation activation, const InferencePlan& plan) {
  if (!plan.pack || !serves(options, weight, plan)) return nullptr;
  return std::shared_ptr<const PackedConv>(new PackedConv(options, weight, bias, activation));
}

Tensor PackedConv::weight_for(Shape input) const {
  const std::lock_guard lock(mutex_);
  // The best order depends on the input's shape; oneDNN changes the order in every pass where it is another. So it is
  // that of the first shape, or of a shape that comes twice on end.
  if (packed_for_.empty() || (input != packed_for_ && input == last_)) {
    const auto plain = weight_.is_mkldnn() ? dense(weight_) : weight_;
    weight_ = reordered().call(plain, padding_, stride_, dilation_, options_.groups, input);
    packed_for_ = input.vec();
  }
  last_ = input.vec();
  return weight_;
}

const WinogradConv* PackedConv::winograd_for(const Tensor& input) const {
  if (!WinogradConv::serves(options_, type_) || !WinogradConv::pays(options_, input.sizes())) return nullptr;
  const std::lock_guard lock(mutex_);
  if (!winograd_)
    winograd_ = std::make_unique<WinogradConv>(options_, weight_.is_mkldnn() ? dense(weight_) : weight_,
                                               bias_.value_or(Tensor()));
  return winograd_.get();
}

Tensor PackedConv::forward(const Tensor& wanted) const {
  const auto input = wanted.to(type_);
  if (const auto* const winograd = winograd_for(input)) {
    auto shape = input.sizes().vec();
    shape[1] = options_.out_channels;
    auto output = at::empty(shape, input.options().memory_format(at::MemoryFormat::ChannelsLast));
    const bool is_relu = activation_ == Activation::relu;
    winograd->forward(input.contiguous(at::MemoryFormat::ChannelsLast), output, /*adds=*/false, is_relu);
    return is_relu ? output : activate(std::move(output), activation_);
  }
  const auto activation = fused(activation_);
  const auto output =
      pointwise().call(input, weight_for(input.sizes()), bias_, padding_, stride_, dilation_, options_.groups,
                       activation.name ? activation.name : "none", numbers(activation), activation.algorithm);
  return activation.name ? output : activate(output, activation_);
}

Tensor PackedConv::forward_added(const Tensor& wanted, Tensor shortcut, Activation activation) const {
  // Whoever else holds the shortcut, or shares its memory, must not see it change.
  const bool is_free = shortcut.use_count() == 1 && shortcut.storage().use_count() == 1 &&
                       shortcut.is_contiguous(at::MemoryFormat::ChannelsLast) && shortcut.scalar_type() == type_;
  if (activation_ != Activation::none || !is_free) return activate(forward(wanted).add_(shortcut), activation);
  const auto input = wanted.to(type_);
  // After a sum, the operators know no other activation.
  const bool fuses_relu = activation == Activation::relu;
  if (const auto* const winograd = winograd_for(input))
    winograd->forward(input.contiguous(at::MemoryFormat::ChannelsLast), shortcut, /*adds=*/true, fuses_relu);
  else
    pointwise_added().call(shortcut, input, weight_for(input.sizes()), bias_, padding_, stride_, dilation_,
                           options_.groups, "add", at::Scalar(1.0), fuses_relu ? MaybeText("relu") : std::nullopt,
                           Numbers(), std::nullopt);
  return fuses_relu ? shortcut : activate(std::move(shortcut), activation);
}

}  // namespace sectile::nn
