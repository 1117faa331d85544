// Boxes as tensors: left, top, right, bottom.
#pragma once

#include <array>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// What differences of x, y, width and height are multiplied by.
using BoxWeights = std::array<double, 4>;

// How to get from `boxes` to `wanted`, both [K, 4]: centers by the box's size, sizes by their logarithm (Girshick et
// al. 2014, arXiv:1311.2524). float [K, 4].
SECTILE_EXPORT at::Tensor encode_boxes(const at::Tensor& wanted, const at::Tensor& boxes, const BoxWeights& weights);
// The reverse, for each class. deltas: [K, 4 * C] → [K, C, 4]. Sizes grow 62.5-fold at most, as in torchvision:
// log(1000 / 16), after the weights.
SECTILE_EXPORT at::Tensor decode_boxes(const at::Tensor& deltas, const at::Tensor& boxes, const BoxWeights& weights);

// boxes: [..., 4] → within an image of this size.
SECTILE_EXPORT at::Tensor clip_boxes(const at::Tensor& boxes, std::int64_t height, std::int64_t width);
SECTILE_EXPORT at::Tensor box_areas(const at::Tensor& boxes);                       // [K]
SECTILE_EXPORT at::Tensor box_ious(const at::Tensor& a, const at::Tensor& b);       // [K, 4], [L, 4] → [K, L]
SECTILE_EXPORT at::Tensor larger_than(const at::Tensor& boxes, double least_side);  // bool [K]: both sides are

// Which of `truths` each of `boxes` stands for: int64 [K], kNoObject below `low`, kNeither from there to `high`.
// With `allow_low_quality`, a truth also gets the boxes that overlap it most, whatever their IoU (Ren et al. 2015,
// arXiv:1506.01497; torchvision's Matcher).
constexpr std::int64_t kNoObject = -1, kNeither = -2;
SECTILE_EXPORT at::Tensor match_boxes(const at::Tensor& truths, const at::Tensor& boxes, double low, double high,
                                      bool allow_low_quality);

// Of what was matched, up to `count` at random: as many objects as there are up to a share of it, and no objects for
// the rest. Indices of both, int64. Draws from LibTorch's generator only where there are more than are taken.
struct Sampled {
  at::Tensor positive, negative;
};
SECTILE_EXPORT Sampled sample_matches(const at::Tensor& matches, std::int64_t count, double positive_share);

}  // namespace sectile::nn
