// Maps as tokens, one for each pixel in row-major order, and back. Neither copies a map with channels last.
#pragma once

#include <cstdint>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

SECTILE_EXPORT at::Tensor tokens_of(const at::Tensor& map);  // [N, C, H, W] → [N, H * W, C], contiguous
SECTILE_EXPORT at::Tensor map_of(const at::Tensor& tokens, std::int64_t rows,
                                 std::int64_t columns);  // the inverse; rows * columns must be the number of tokens

}  // namespace sectile::nn
