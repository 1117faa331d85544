// How far each pixel is from the border of a class, for losses that weigh pixels by it.
#pragma once

#include <ATen/core/Tensor.h>

#include <sectile/abi.h>

namespace sectile {

// inside, counted: bool [N, C, …] with two or three axes in […]. Per image and class, the distance of each pixel inside
// to the nearest one outside, and of each pixel outside to the nearest one inside, in pixels. Pixels that are not
// counted are on neither side; theirs is 0, and so is all of a class that has one side only. float64, on the device of
// `inside`; computed on the CPU.
SECTILE_EXPORT at::Tensor border_distances(const at::Tensor& inside, const at::Tensor& counted);

}  // namespace sectile
