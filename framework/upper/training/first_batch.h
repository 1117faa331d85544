// What a model promises and only a batch can show, checked once.
#pragma once

#include "pipeline.h"
#include "plan.h"

namespace sectile {

// The model's outputs for the first batch. Throws PluginError if its parameters are others after the first forward,
// since the optimizer has the earlier ones, and if the scores of finite images are not finite.
Outputs first_outputs(const Pipeline& pipeline, const Batch& batch);

// Throws SpecError if the last batch of an epoch is a single image, and the model cannot train on one: batch norms
// after a pooling to one pixel have nothing to normalize. Changes batch norm's statistics and draws random numbers.
void refuse_single_image(const Pipeline& pipeline, const TrainingPlan& plan);

}  // namespace sectile
