#include <sectile/nn/inference.h>

#include <algorithm>
#include <sstream>

#include <sectile/error.h>

namespace sectile::nn {
namespace {

// Relative to the largest output: several roundings of input, weights and result, which differ in the last bit.
double tolerance(at::ScalarType precision) {
  switch (precision) {
    case at::kDouble:
      return 1e-9;
    case at::kHalf:
      return 1e-2;
    case at::kBFloat16:
      return 5e-2;
    default:
      return 1e-3;
  }
}

}  // namespace

at::Tensor planned(const at::Tensor& weight, const InferencePlan& plan) {
  const bool stays_double = weight.scalar_type() == at::kDouble && plan.precision == at::kFloat;
  const auto moved = weight.to(plan.device, stays_double ? at::kDouble : plan.precision);
  return moved.dim() == 4 ? moved.contiguous(plan.format) : moved.contiguous();
}

void require_same(const std::string& layer, const at::Tensor& training_form, const at::Tensor& inference_form,
                  at::ScalarType precision) {
  const auto wanted = training_form.detach().to(at::kDouble), found = inference_form.detach().to(wanted.options());
  const double largest = std::max(wanted.abs().max().item<double>(), 1e-6);
  const double difference = (found - wanted).abs().max().item<double>() / largest;
  if (difference <= tolerance(precision)) return;  // false for NaN
  std::ostringstream reason;
  reason << "its inference form differs from its training form by " << difference
         << " of the largest value on made-up input, and " << c10::toString(precision) << " explains "
         << tolerance(precision) << "; use another /train/precision, or look for weights out of its range";
  throw PluginError(layer, reason.str());
}

}  // namespace sectile::nn
