// Masks that a network predicts within boxes, as run lengths of the whole image.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/mask.h>
#include <sectile/torch_abi.h>

namespace sectile::nn {

// The pixels where the resized mask is above `threshold`, by torchvision's rule (paste_masks_in_image): a border of one
// zero around the mask, the box enlarged by as much and its corners cut to whole numbers, bilinear. No image of floats
// is made: along a column, a mask crosses the threshold at most once between two of its rows.
// masks: float32 [K, M, M] of probabilities, on whose device this is computed: only run lengths leave a GPU.
// boxes: float32 [K, 4]: left, top, right, bottom.
SECTILE_EXPORT std::vector<Rle> paste_masks(const at::Tensor& masks, const at::Tensor& boxes, const cv::Size& image,
                                            double threshold = 0.5);

}  // namespace sectile::nn
