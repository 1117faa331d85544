// Layout of images in the tensors of a batch.
#pragma once

#include <cstdint>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/sample.h>

namespace sectile {

std::vector<std::int64_t> spatial(const Extent& size, bool volume);  // [H, W], or [D, H, W]

// The part of a tensor that is not padding. first: the index of its first spatial dimension.
at::Tensor valid(at::Tensor tensor, const Extent& size, bool volume, int first);

// Copies a band into a map of `total` rows along this axis, from row `first` on. An undefined map is allocated.
void put_rows(at::Tensor& map, const at::Tensor& band, std::int64_t axis, std::int64_t first, std::int64_t total);

// Scores [N, C, …] at another resolution; linear, corners not aligned.
at::Tensor interpolate(const at::Tensor& scores, at::IntArrayRef size);

}  // namespace sectile
