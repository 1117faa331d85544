// An annotation of which transforms cut off a part.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/sample.h>
#include <sectile/torch_abi.h>

namespace sectile {

// Removes it from objects and segments, as if the annotation had been cut with the image: objects of which nothing is
// left are removed, and those of which a part is left have no stated area. unseen: bool [H, W], what was cut off; of
// volumes, which have no objects, nothing changes.
SECTILE_EXPORT void cut_annotation(const at::Tensor& unseen, Sample& sample);

// The same of predicted objects, whose boxes are not those of their masks' pixels: resampling masks can cover pixels
// beyond what the network saw.
SECTILE_EXPORT void cut_objects(const at::Tensor& unseen, std::vector<Instance>& found);

}  // namespace sectile
