#include "class_weights.h"

#include <algorithm>
#include <cmath>

namespace sectile {
namespace {

double ratio(std::int64_t a, std::int64_t b) { return static_cast<double>(a) / static_cast<double>(b); }

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const auto half = values.size() / 2;
  return values.size() % 2 ? values[half] : (values[half - 1] + values[half]) / 2;
}

// Before scaling.
double weight_of(WeightRule rule, const ClassFrequency& of, double beta) {
  switch (rule) {
    case WeightRule::inverse_frequency:
      return ratio(of.counted, of.pixels);
    case WeightRule::median_frequency:
      return ratio(of.counted_with, of.pixels);
    case WeightRule::enet:
      return 1 / std::log(1.02 + ratio(of.pixels, of.counted));
    case WeightRule::effective_number:
      break;
  }
  return (1 - beta) / (1 - std::pow(beta, static_cast<double>(of.images)));
}

}  // namespace

const char* name_of(WeightRule rule) {
  switch (rule) {
    case WeightRule::inverse_frequency:
      return "inverse_frequency";
    case WeightRule::median_frequency:
      return "median_frequency";
    case WeightRule::enet:
      return "enet";
    case WeightRule::effective_number:
      break;
  }
  return "effective_number";
}

std::vector<double> class_weights(WeightRule rule, const std::vector<ClassFrequency>& classes, double beta) {
  const bool by_images = rule == WeightRule::effective_number;
  const auto occurs = [&](const ClassFrequency& of) { return by_images ? of.images > 0 : of.pixels > 0; };
  std::vector<double> present;  // before scaling
  for (const auto& of : classes)
    if (occurs(of)) present.push_back(weight_of(rule, of, beta));
  if (present.empty()) return {};
  const auto count = static_cast<double>(present.size());
  double scale = 1;
  if (rule == WeightRule::inverse_frequency) scale = 1 / count;
  if (rule == WeightRule::median_frequency) {
    std::vector<double> frequencies;
    for (const double inverse : present) frequencies.push_back(1 / inverse);
    scale = median(frequencies);
  }
  if (by_images) {
    double sum = 0;
    for (const double weight : present) sum += weight;
    scale = count / sum;
  }
  std::vector<double> weights;
  for (const auto& of : classes)
    weights.push_back(occurs(of) || (rule == WeightRule::enet && of.counted > 0) ? scale * weight_of(rule, of, beta)
                                                                                 : 0);
  return weights;
}

}  // namespace sectile
