// A batch through the network, whole or window by window.
#pragma once

#include <sectile/model.h>

#include "../../ground/spec/pipeline_spec.h"

namespace sectile {

// The window is the spec's, else the model's, else the whole picture. Where windows overlap, logits are averaged, so
// that models, losses and metrics never know of windows. Throws PluginError when the model gives no logits to join.
Outputs infer(Model& model, const Batch& batch, const PipelineSpec::Inference& inference);

}  // namespace sectile
