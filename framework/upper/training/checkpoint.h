// A trained network with all that using it needs: weights, the resolved spec, classes and their colours.
#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include <sectile/context.h>

#include "../weights/weights.h"

namespace sectile {

struct Checkpoint {
  std::string spec;        // resolved, as JSON text
  std::string model_type;  // "unet"
  LabelMap labels;
  int channels = 3;
  int dimensions = 2;
  std::int64_t epoch = 0;  // finished ones
  std::int64_t step = 0;
  std::string metric_name;  // what best.pth is chosen by; empty without evaluation
  std::optional<double> metric;
  StateDict model;
  StateDict optimizer;  // what it remembers between steps; of last.pth only
};

// Readable by torch.load(weights_only=True): a dict of plain values, with the weights under "model".
void save_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);
// Throws DataError, also for a file of weights that is no checkpoint.
Checkpoint load_checkpoint(const std::filesystem::path& file);

// Weights alone: of a checkpoint, or of a file that Python saved, where they lie at the top or under a usual name.
StateDict load_weights(const std::filesystem::path& file);

// Throws DataError unless every tensor of the module is in the checkpoint with the same shape, and no other.
void load_into(torch::nn::Module& module, const Checkpoint& checkpoint, const std::filesystem::path& file);

}  // namespace sectile
