// Gradient checkpointing (Chen et al. 2016, arXiv:1604.06174): memory for time.
#pragma once

#include <functional>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// stage(input), without keeping what its backward pass needs: the stage runs a second time when that comes. parameters:
// all that the stage uses. Random numbers, autocast and the statistics of batch norm are those of one run. Runs the
// stage plainly where no gradients are recorded.
SECTILE_EXPORT at::Tensor checkpoint(const std::function<at::Tensor(const at::Tensor&)>& stage, const at::Tensor& input,
                                     const std::vector<at::Tensor>& parameters);

// Whether this thread runs a stage for the second time. Layers do not update their statistics then.
SECTILE_EXPORT bool recomputing();

}  // namespace sectile::nn
