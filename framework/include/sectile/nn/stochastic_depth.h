// Stochastic depth (Huang et al. 2016, arXiv:1603.09382), also called drop path and drop connect.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// The branch of a residual block before it is added to the shortcut. In training, each image's branch is dropped (set
// to zero) with probability `rate`, and the others are divided by 1 - rate. branch: float [N, …]; rate in [0, 1).
SECTILE_EXPORT at::Tensor stochastic_depth(const at::Tensor& branch, double rate, bool training);

}  // namespace sectile::nn
