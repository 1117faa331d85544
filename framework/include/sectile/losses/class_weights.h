// Weights of classes in a loss: given, or from how often each class occurs in the training data.
#pragma once

#include <optional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/context.h>
#include <sectile/options.h>

namespace sectile {

enum class ClassBalance { none, median_frequency, inverse, effective_number };

// The options "class_weights", "class_balance" and "beta". A loss's own options call declare() and check().
struct SECTILE_EXPORT ClassWeightOptions {
  std::vector<double> class_weights{};
  ClassBalance class_balance = ClassBalance::none;
  std::optional<double> beta{};  // of the effective number

  // class_weights_help: what the weights do in this loss.
  void declare(Options& options, const char* class_weights_help);
  void check(Problems& problems) const;

  // [C] in float64; undefined: all 1. Counts the training data where the weights follow from it. Throws OptionError.
  at::Tensor weights(const BuildContext& context) const;
};

}  // namespace sectile
