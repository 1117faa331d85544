// What layers with an inference form have in common.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include <sectile/roles.h>

namespace sectile::nn {

// The tensor as the plan wants a weight: on its device, in its precision, and with 4 axes in its memory format. A plan
// of float32 leaves float64 as it is: such a network computes in float64.
SECTILE_EXPORT at::Tensor planned(const at::Tensor& weight, const InferencePlan& plan);

// Throws PluginError, naming the layer, where its two forms' answers to one input differ by more than `precision`
// explains, measured by the largest value.
SECTILE_EXPORT void require_same(const std::string& layer, const at::Tensor& training_form,
                                 const at::Tensor& inference_form, at::ScalarType precision);

}  // namespace sectile::nn
