// Non-maximum suppression: of boxes of one class that overlap, the one with the best score stays.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

// Indices of the boxes that stay, int64, best score first and equal scores in their order: those that no box of the
// same class that stays overlaps by an IoU above `iou_threshold` (torchvision.ops.batched_nms).
// boxes: float32 or float64 [K, 4]: left, top, right, bottom. scores: [K]. classes: int64 [K], or undefined: one class.
// On the device of the boxes. On a GPU, it waits once, for how many stay.
SECTILE_EXPORT at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& classes,
                              double iou_threshold);

}  // namespace sectile::nn
