// A batch through the network, whole or window by window.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include <sectile/model.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {

// The size of a window, [D, H, W], D being 1 for images; zeros: the whole image. The spec's comes before the model's.
// A spec's window of two values covers volumes in their whole depth, which is 0 here.
std::array<std::int64_t, 3> window_size(const ModelTraits& traits, const PipelineSpec::Inference& inference,
                                        int dimensions);

// Where windows overlap, logits are averaged, evenly or weighed by a Gaussian, so that models, losses and metrics never
// know of windows. A window keeps its size: where it reaches past the image, the image is padded with zeros. named:
// those of Outputs::named that are joined likewise; they and the logits are [N, C, …]. Throws PluginError when the
// model gives no logits to join.
Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference,
              const std::vector<std::string>& named = {});

}  // namespace sectile
