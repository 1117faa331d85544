// Learned position embeddings, one for each patch of a square image, for images of any size.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// How they are resized, with half-pixel centers (align_corners=False). Each tool has its own way, and weights need that
// of the tool that they were trained with when images have another size:
//   bicubic            MMSegmentation, transformers' DINOv2
//   bicubic_antialias  timm, and transformers' DINOv2 with registers: a filter as wide as a smaller grid needs
//   bilinear           MMSegmentation with interpolate_mode="bilinear"
enum class PositionResize { bicubic, bicubic_antialias, bilinear };

// positions: float [1, prefix + n * n, C], of which the first `prefix`, of tokens such as the class token, are kept →
// [1, prefix + rows * columns, C]. Computed in float32, or float64 for such positions; returned in their type. Throws
// PluginError if the rest is no square.
SECTILE_EXPORT at::Tensor resize_positions(const at::Tensor& positions, std::int64_t prefix, std::int64_t rows,
                                           std::int64_t columns, PositionResize how);

// n of a square grid of n * n; 0: `count` is no such number.
SECTILE_EXPORT std::int64_t side_of_square(std::int64_t count);

}  // namespace sectile::nn
