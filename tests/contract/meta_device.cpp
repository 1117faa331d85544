#include "meta_device.h"

#include <algorithm>

#include <ATen/ATen.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/library.h>
#include <torch/nn/module.h>

#include "upper/network/device.h"

namespace sectile::contract {
namespace {

at::Tensor zeros_like_meta(const at::Tensor& tensor) {
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kCPU)).zero_();
}

// Every tensor of a value, lists and optional ones too.
void each_tensor(c10::IValue& value, const std::function<at::Tensor(const at::Tensor&)>& change) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) value = change(value.toTensor());
  } else if (value.isTensorList()) {
    std::vector<at::Tensor> changed;
    for (const at::Tensor& one : value.toTensorVector()) changed.push_back(one.defined() ? change(one) : one);
    value = changed;
  } else if (value.isOptionalTensorList()) {
    c10::List<std::optional<at::Tensor>> changed;
    for (const std::optional<at::Tensor>& one : value.toOptionalTensorList())
      changed.push_back(one && one->defined() ? std::optional(change(*one)) : one);
    value = changed;
  }
}

// An operator without a meta kernel of its own.
void by_shape(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  TORCH_CHECK_NOT_IMPLEMENTED(!op.hasTag(at::Tag::data_dependent_output) && !op.hasTag(at::Tag::dynamic_output_shape),
                              op.schema().name(), " reads values of tensors, or gives a shape that depends on them");
  const auto& schema = op.schema();
  const auto count = schema.arguments().size();
  const std::vector<c10::IValue> given(stack->end() - static_cast<std::ptrdiff_t>(count), stack->end());
  for (auto value = stack->end() - static_cast<std::ptrdiff_t>(count); value != stack->end(); ++value) {
    each_tensor(*value, [](const at::Tensor& tensor) { return tensor.is_meta() ? zeros_like_meta(tensor) : tensor; });
    if (value->isDevice() && value->toDevice().is_meta()) *value = at::Device(at::kCPU);
  }
  op.callBoxed(stack);
  // A result that is one of the arguments, as in place, stays that one.
  for (std::size_t r = 0; r < schema.returns().size(); ++r) {
    auto& result = *(stack->end() - static_cast<std::ptrdiff_t>(schema.returns().size() - r));
    const auto* alias = schema.returns()[r].alias_info();
    const auto same = std::find_if(schema.arguments().begin(), schema.arguments().end(), [&](const auto& argument) {
      return alias && alias->isWrite() && argument.alias_info() && *argument.alias_info() == *alias;
    });
    if (same != schema.arguments().end())
      result = given[static_cast<std::size_t>(same - schema.arguments().begin())];
    else
      each_tensor(result, [](const at::Tensor& tensor) {
        return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
      });
  }
}

// LibTorch sends convolutions of devices that it does not know here.
at::Tensor convolution(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                       at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, bool transposed,
                       at::IntArrayRef output_padding, std::int64_t groups) {
  const auto plain = [](const at::Tensor& tensor) { return zeros_like_meta(tensor); };
  const auto result =
      at::convolution(plain(input), plain(weight), bias && bias->defined() ? std::optional(plain(*bias)) : std::nullopt,
                      stride, padding, dilation, transposed, output_padding, groups);
  return at::empty_strided(result.sizes(), result.strides(), result.options().device(at::kMeta));
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> convolution_backward(const at::Tensor& gradient, const at::Tensor& input,
                                                                    const at::Tensor& weight, at::IntArrayRef,
                                                                    at::IntArrayRef, at::IntArrayRef, bool,
                                                                    at::IntArrayRef, std::int64_t,
                                                                    std::array<bool, 3> wanted) {
  const auto outputs = gradient.size(1);
  return {wanted[0] ? at::empty_like(input) : at::Tensor(), wanted[1] ? at::empty_like(weight) : at::Tensor(),
          wanted[2] ? at::empty({outputs}, gradient.options()) : at::Tensor()};
}

// Gives every operator that the CPU computes, and that nothing else brings to the meta device, the kernel above.
void fill_gaps() {
  static std::vector<c10::RegistrationHandleRAII> kept;
  if (!kept.empty()) return;
  auto& dispatcher = c10::Dispatcher::singleton();
  for (const auto& name : dispatcher.getAllOpNames()) {
    const auto op = dispatcher.findOp(name);
    const auto has = [&](c10::DispatchKey key) { return op->hasKernelForDispatchKey(key); };
    using c10::DispatchKey;
    if (name.name.rfind("aten::", 0) != 0 || !op || !op->hasSchema() || !has(DispatchKey::CPU) ||
        has(DispatchKey::Meta) || has(DispatchKey::CompositeImplicitAutograd) ||
        has(DispatchKey::CompositeExplicitAutograd) || has(DispatchKey::CompositeExplicitAutogradNonFunctional))
      continue;
    kept.push_back(dispatcher.registerImpl(name, DispatchKey::Meta,
                                           c10::KernelFunction::makeFromBoxedFunction<&by_shape>(), std::nullopt,
                                           nullptr, "shapes alone"));
  }
}

}  // namespace

TORCH_LIBRARY_IMPL(aten, Meta, library) {
  library.impl("convolution_overrideable", &convolution);
  library.impl("convolution_backward_overrideable", &convolution_backward);
}

at::Tensor on_meta(const at::Tensor& tensor) {
  if (!tensor.defined()) return tensor;
  return at::empty_strided(tensor.sizes(), tensor.strides(), tensor.options().device(at::kMeta));
}

Batch on_meta(const Batch& batch) { return to_device(batch, at::Device(at::kMeta)); }

// LibTorch's Module::to refuses to exchange the data of a CPU tensor for a meta one's.
void to_meta(torch::nn::Module& module) {
  const auto move = [](const at::Tensor& tensor) {
    tensor.unsafeGetTensorImpl()->shallow_copy_from(on_meta(tensor.detach()).getIntrusivePtr());
  };
  for (const auto& parameter : module.parameters()) move(parameter);
  for (const auto& buffer : module.buffers()) move(buffer);
}

std::string peeks(const std::function<void()>& step) {
  fill_gaps();
  try {
    step();
    return {};
  } catch (const std::exception& error) {
    return std::string(error.what()).substr(0, 200);
  }
}

}  // namespace sectile::contract
