#include <sectile/losses/class_target.h>

#include <string>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <sectile/sample.h>

namespace sectile {

Option& add_activation(Options& options, LossActivation* activation, const char* help) {
  return options.add("activation", activation, help).one_of({"auto", "softmax", "sigmoid"});
}

bool uses_sigmoid(LossActivation activation, const BuildContext& context) {
  const bool overlapping = context.labels && context.labels->overlapping;
  if (overlapping && activation == LossActivation::softmax)
    throw OptionError("activation", "is softmax, and the classes overlap: use sigmoid or auto");
  return overlapping || activation == LossActivation::sigmoid;
}

ClassTarget class_target(const at::Tensor& labels, const at::Tensor& logits, bool together) {
  if (labels.is_floating_point()) {
    auto counted = labels >= 0;
    if (together) counted = counted.all(1, /*keepdim=*/true).expand_as(labels);
    const auto factor = counted.to(logits.scalar_type());
    return {labels.clamp_min(0) * factor, factor};
  }
  const auto counted = (labels != kIgnore).unsqueeze(1).to(logits.scalar_type());  // [N, 1, …]
  const auto target = at::zeros_like(logits).scatter_(1, labels.clamp_min(0).unsqueeze(1), 1);
  return {target * counted, counted.expand_as(logits)};
}

at::Tensor mean_of_counted(const at::Tensor& values, const at::Tensor& counted) {
  const auto total = counted.sum();
  return (values * counted).sum() / (total + (total == 0));
}

at::Tensor beside_classes(const at::Tensor& of_classes, const at::Tensor& logits) {
  std::vector<std::int64_t> shape(static_cast<std::size_t>(logits.dim() - 1), 1);
  shape[0] = -1;
  return of_classes.to(logits.options()).view(shape);
}

at::Tensor values_per_class(const char* option, std::vector<double> values, const BuildContext& context) {
  if (values.empty()) return {};
  const auto classes = static_cast<std::size_t>(context.classes());
  if (values.size() == 1) values.assign(classes, values.front());
  if (values.size() != classes)
    throw OptionError(option, "has " + std::to_string(values.size()) + " values, and the dataset has " +
                                  std::to_string(classes) + " classes: give one value per class, or one for all");
  return at::tensor(values, at::kDouble);
}

}  // namespace sectile
