// Resizing a map to a size, or to that of another.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// Bilinear, differentiable. input: float [N, C, H, W], reference: [N, any, H', W'] → [N, C, H', W'].
// align_corners as in torch.nn.functional.interpolate: whether the centers of the corner pixels coincide.
SECTILE_EXPORT at::Tensor resize_like(const at::Tensor& input, const at::Tensor& reference, bool align_corners = false);

enum class Interpolation { nearest, bilinear };

// As torch.nn.functional.interpolate with these modes, and align_corners=False. size: rows and columns.
SECTILE_EXPORT at::Tensor resize(const at::Tensor& input, at::IntArrayRef size, Interpolation interpolation);

}  // namespace sectile::nn
