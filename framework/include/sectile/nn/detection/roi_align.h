// RoIAlign (He et al. 2017, arXiv:1703.06870), with torchvision's numbers (torchvision.ops.roi_align).
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile::nn {

struct RoiAlignOptions {
  int output_size = 7;     // bins per side
  int sampling_ratio = 2;  // samples per bin and axis; 0: one for each pixel of the features, rounded up
  bool aligned = false;    // torchvision's Mask R-CNN: false, and boxes are at least one pixel of the features wide and
                           // high. true: they are moved by half a pixel, as detectron2 does, and may be smaller
};

// Where the features of a region come from: the position of its image in the batch, and of its level in the list.
struct RoiPlace {
  int image = 0;
  int level = 0;
};

// Averages of bilinear samples: [K, C, S, S], channels last. Differentiable in features; samples more than a pixel out
// of the image are 0.
// features: of each level [N, C, H, W], all of one type: float32, float64 or bfloat16, in which sums are of float32.
// scales: features' pixels per pixel of the boxes, of each level. boxes: float [K, 4]: left, top, right, bottom, and
// finite. places: of each box. Throws PluginError for other shapes, numbers and places; on a GPU, where looking at
// boxes would mean to wait for them, the averages of a box that is not finite are NaN. The gradient is the same in
// every run, on a GPU too.
SECTILE_EXPORT at::Tensor roi_align(const std::vector<at::Tensor>& features, const std::vector<double>& scales,
                                    const at::Tensor& boxes, const std::vector<RoiPlace>& places,
                                    const RoiAlignOptions& options);

}  // namespace sectile::nn
