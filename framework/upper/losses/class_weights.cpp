#include <sectile/losses/class_weights.h>

#include <algorithm>
#include <numeric>
#include <string>

#include <ATen/ops/tensor.h>

#include "../../ground/checking/class_weights.h"
#include "../loading/class_counter.h"

namespace sectile {
namespace {

WeightRule rule_of(ClassBalance balance) {
  switch (balance) {
    case ClassBalance::median_frequency:
      return WeightRule::median_frequency;
    case ClassBalance::effective_number:
      return WeightRule::effective_number;
    default:
      return WeightRule::inverse_frequency;
  }
}

std::vector<ClassFrequency> frequencies_of(const BuildContext& context) {
  const auto* counter = context.count_pixels.target<ClassCounter>();
  if (!counter)
    throw OptionError("class_balance",
                      "needs training data in which classes are counted, and there is none here: give the weights in "
                      "\"class_weights\" instead");
  return counter->frequencies();
}

// So that the classes that occur have weights of mean 1.
void scale_to_mean_of_one(std::vector<double>& weights) {
  const double sum = std::accumulate(weights.begin(), weights.end(), 0.0);
  const auto count = std::count_if(weights.begin(), weights.end(), [](double weight) { return weight > 0; });
  for (auto& weight : weights) weight *= static_cast<double>(count) / sum;
}

}  // namespace

void ClassWeightOptions::declare(Options& options, const char* class_weights_help) {
  options.add("class_weights", &class_weights, class_weights_help).at_least(0);
  options
      .add("class_balance", &class_balance,
           "Weights per class from the labels of the training data, instead of class_weights. They are counted once, "
           "without reading images. median_frequency: median(f) / f, where f is the class's share of the labelled "
           "pixels of the images in which it occurs (Eigen and Fergus 2015). inverse: 1 / share of all labelled "
           "pixels. effective_number: (1 - beta) / (1 - beta^n), where n is the number of images in which it occurs "
           "(Cui et al. 2019). The last two are scaled so that the mean over the classes that occur is 1; `sectile "
           "data stats` prints inverse_frequency on another scale, by which the mean over the pixels is 1. A class "
           "that never occurs has weight 0. none: all 1.")
      .one_of({"none", "median_frequency", "inverse", "effective_number"});
  options
      .add("beta", &beta,
           "Of class_balance effective_number: 0 gives all classes the same weight, and close to 1 it becomes 1 / n. "
           "At least 0, below 1. Default: 0.999.")
      .at_least(0)
      .at_most(1);
}

void ClassWeightOptions::check(Problems& problems) const {
  const bool balances = class_balance != ClassBalance::none;
  if (balances && !class_weights.empty())
    problems.add("class_balance",
                 "computes the weights of classes, and \"class_weights\" gives them: remove one of both");
  if (!class_weights.empty() &&
      std::all_of(class_weights.begin(), class_weights.end(), [](double weight) { return weight == 0; }))
    problems.add("class_weights", "are all 0, so that nothing would be learned; expected at least one above 0");
  if (beta && class_balance != ClassBalance::effective_number)
    problems.add("beta", "is only used with class_balance \"effective_number\": select it, or remove beta");
  if (beta && *beta >= 1) problems.add("beta", "is 1; expected at least 0 and below 1");
}

at::Tensor ClassWeightOptions::weights(const BuildContext& context) const {
  if (class_balance == ClassBalance::none) {
    if (class_weights.empty()) return {};
    const auto values = class_weights.size(), classes = static_cast<std::size_t>(context.classes());
    if (values != classes)
      throw OptionError("class_weights", std::string("has ")
                                             .append(std::to_string(values))
                                             .append(values == 1 ? " value" : " values")
                                             .append(", and the dataset has ")
                                             .append(std::to_string(classes))
                                             .append(classes == 1 ? " class" : " classes")
                                             .append(": give one value per class, or remove it")
                                             .append(values == 1 ? "; \"weight\" scales the whole loss" : ""));
    return at::tensor(class_weights, at::kDouble);
  }
  auto balanced =
      sectile::class_weights(rule_of(class_balance), frequencies_of(context), beta.value_or(kEffectiveBeta));
  if (balanced.empty())
    throw OptionError("class_balance", "finds no labelled pixel in the training data; check its labels, or remove it");
  if (class_balance == ClassBalance::inverse) scale_to_mean_of_one(balanced);
  return at::tensor(balanced, at::kDouble);
}

}  // namespace sectile
