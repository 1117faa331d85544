// Labels of any kind as one target per class, and the option that says how logits become probabilities.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/context.h>
#include <sectile/options.h>

namespace sectile {

enum class LossActivation { automatic, softmax, sigmoid };

// The option "activation"; `help` follows what it says of the choices.
SECTILE_EXPORT Option& add_activation(Options& options, LossActivation* activation, const char* help);
// auto: sigmoid if classes overlap. Throws OptionError for softmax over overlapping classes.
SECTILE_EXPORT bool uses_sigmoid(LossActivation activation, const BuildContext& context);

// [N, C, …] of the logits' type: targets 0..1, and 1 where they count, 0 where ignored; the target is 0 there.
struct ClassTarget {
  at::Tensor target, counted;
};
// labels: int64 [N, …] of class numbers and kIgnore, or of the logits' type [N, C, …], 0..1 and kIgnore. together: of
// labels per class, a pixel counts only if all its classes do.
SECTILE_EXPORT ClassTarget class_target(const at::Tensor& labels, const at::Tensor& logits, bool together = false);

// The sum of values where they count, divided by how many count; 0 with a gradient if none does.
SECTILE_EXPORT at::Tensor mean_of_counted(const at::Tensor& values, const at::Tensor& counted);

// A value per class, of the logits' type and device: [C, 1, …], which broadcasts with [N, C, …].
SECTILE_EXPORT at::Tensor beside_classes(const at::Tensor& of_classes, const at::Tensor& logits);

// One value per class, or one for all; [C] in float64, undefined if empty. Throws OptionError for another number.
SECTILE_EXPORT at::Tensor values_per_class(const char* option, std::vector<double> values, const BuildContext& context);

}  // namespace sectile
