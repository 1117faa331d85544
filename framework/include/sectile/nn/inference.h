// Helpers for layers with an inference form.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <sectile/roles.h>

namespace sectile::nn {

// The weight converted as the plan says: to its device, its precision, and, with 4 axes, its memory format. A plan of
// float32 does not change float64: such a network computes in float64.
SECTILE_EXPORT at::Tensor planned(const at::Tensor& weight, const InferencePlan& plan);

// Throws PluginError, naming the layer, if the outputs of its two forms for one input differ by more than `precision`
// explains, relative to the largest value.
SECTILE_EXPORT void require_same(const std::string& layer, const at::Tensor& training_form,
                                 const at::Tensor& inference_form, at::ScalarType precision);

}  // namespace sectile::nn
