// RoIAlign, NMS and pasted masks on a GPU. Tensors are on one device, and checked by the operators of `nn/detection`.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/mask.h>
#include <sectile/nn/detection/roi_align.h>

#include "gpu_kernels.h"

namespace sectile::nn {

struct GpuRegions {
  at::Tensor boxes;   // float64 [K, 4] for features of float64, float32 for others
  at::Tensor places;  // int32 [K, 2]: image and level
  std::vector<double> scales;
  RoiAlignOptions options;
};

// Copies them to a device: int32 [K, 2].
at::Tensor places_on(const at::Device& device, const std::vector<RoiPlace>& places);

// levels, output: channels last, of one type.
void average_on_gpu(const Gpu& gpu, const std::vector<at::Tensor>& levels, const GpuRegions& regions,
                    const at::Tensor& output);
// Writes `levels`, the gradients of the features, from that of the output. The same numbers in every run.
void gradient_on_gpu(const Gpu& gpu, const at::Tensor& output, const GpuRegions& regions,
                     const std::vector<at::Tensor>& levels);

// classes may be undefined. Waits for the device once, for how many stay.
at::Tensor nms_on_gpu(const Gpu& gpu, const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& classes,
                      double iou_threshold);

// Run lengths of each mask. Only they cross to the host.
std::vector<Rle> paste_on_gpu(const Gpu& gpu, const at::Tensor& masks, const at::Tensor& boxes, const cv::Size& image,
                              double threshold);

}  // namespace sectile::nn
