// Resizing a map to the size of another.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// Bilinear, differentiable. input: float [N, C, H, W], reference: [N, any, H', W'] → [N, C, H', W'].
// align_corners as in torch.nn.functional.interpolate: whether the centers of the corner pixels coincide.
SECTILE_EXPORT at::Tensor resize_like(const at::Tensor& input, const at::Tensor& reference, bool align_corners = false);

}  // namespace sectile::nn
