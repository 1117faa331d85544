// Checks of a spec and what it names: data, weights, and whether model, losses and data fit together.
#pragma once

#include "../training/pipeline.h"

namespace sectile {

// Continues after Pipeline::as_far_as_possible with what only training, evaluation and its data need. If nothing is
// wrong so far, one batch is passed through model and losses.
void check_training(Pipeline& pipeline, AllProblems& all);

// Reads and transforms every sample of every split, and adds a problem for each that cannot be used, up to 100.
void check_samples(Pipeline& pipeline, AllProblems& all);

}  // namespace sectile
