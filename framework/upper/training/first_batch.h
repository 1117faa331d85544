// What a model promises and only a batch can show, checked once.
#pragma once

#include "pipeline.h"

namespace sectile {

// The model's outputs for the first batch. Throws PluginError if its parameters are others after the first forward,
// since the optimizer has the earlier ones, and if the scores of finite images are not finite.
Outputs first_outputs(const Pipeline& pipeline, const Batch& batch);

}  // namespace sectile
