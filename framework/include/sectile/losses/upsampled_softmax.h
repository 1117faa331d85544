// Softmax of logits at the size of the labels, without ever resizing them: sums over pixels, and gradients at the
// logits' own resolution. Equal to bilinear interpolation (corners not aligned) before softmax, at a fraction of its
// memory: a network's logits at a quarter of the size would take 16 times as much at full size, several times over.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/abi.h>

namespace sectile {

// Logits [N, C, …] at the labels' size, by linear interpolation: for what the functions below do not do.
SECTILE_EXPORT at::Tensor resized_logits(const at::Tensor& logits, at::IntArrayRef size);

// True for float32 or float64 logits [N, C, h, w] on the CPU that are smaller than class numbers int64 [N, H, W].
SECTILE_EXPORT bool takes_upsampled_softmax(const at::Tensor& logits, const at::Tensor& labels);

struct UpsampledCrossEntropy {
  at::Tensor sum;    // of weight * cross entropy over the pixels that count; a scalar of the logits' type
  at::Tensor total;  // of the weights of these pixels; no gradient
};
// weights: [C], of any type, undefined: all 1. smoothing: torch.nn.functional.cross_entropy's label_smoothing. The
// gradient is made in the same pass. Throws PluginError for class numbers that the logits do not have.
SECTILE_EXPORT UpsampledCrossEntropy upsampled_cross_entropy(const at::Tensor& logits, const at::Tensor& labels,
                                                             const at::Tensor& weights, double smoothing);

struct UpsampledAreas {  // float64 [N, C]
  at::Tensor overlap;    // sums of a class's probability over its pixels
  at::Tensor predicted;  // over all pixels that count
};
SECTILE_EXPORT UpsampledAreas upsampled_areas(const at::Tensor& logits, const at::Tensor& labels);

}  // namespace sectile
