// Forward of a batch, whole or in sliding windows.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include <sectile/model.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {

// The window size, [D, H, W], with D = 1 for images; zeros: the whole image. The spec's takes precedence over the
// model's. A spec's window of two values covers the full depth of volumes, which is 0 here.
std::array<std::int64_t, 3> window_size(const ModelTraits& traits, const PipelineSpec::Inference& inference,
                                        int dimensions);

// The size of the windows, as above, in which this batch is inferred; none if it is inferred as a whole.
std::optional<std::array<std::int64_t, 3>> windows_of(const Model& model, const Batch& batch,
                                                      const PipelineSpec::Inference& inference);

// As infer() by windows, but passes on the joined outputs from top to bottom (of volumes: from the first slice to the
// last) as soon as no later window covers them: memory follows the height of the windows, and not that of the image.
// first: the band's first row in the padded images. The band is valid until `use` returns.
using UseBand = std::function<void(Outputs band, std::int64_t first)>;
void infer_bands(Model& model, const Batch& batch, const std::array<std::int64_t, 3>& window,
                 const PipelineSpec::Inference& inference, const std::vector<std::string>& named, const UseBand& use);

// Where windows overlap, logits are averaged, with constant or Gaussian weights, so that models, losses and metrics
// need not handle windows. A window keeps its size: where it reaches past the image, the image is padded with zeros.
// named: the Outputs::named that are joined in the same way; they and the logits are [N, C, …]. Throws PluginError if
// the model returns no logits to join.
Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference,
              const std::vector<std::string>& named = {});

}  // namespace sectile
