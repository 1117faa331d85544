// A trained network with everything needed to use it: weights, the resolved spec, classes and their colors.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include <sectile/context.h>

#include "../../ground/spec/spec_text.h"
#include "files/torch/torch_file.h"
#include "weights.h"

namespace sectile {

// What a dataset consists of, wherever its files are.
struct DataIdentity {
  std::int64_t samples = 0;
  std::string ids;  // a hash of the samples' ids, in order
  bool operator==(const DataIdentity&) const = default;
};

// What a run needs in addition to the weights, to resume with the same result.
struct Resumption {
  std::int64_t api = 2;                   // of the version that saved it; not stored by 2
  PythonValue optimizer;                  // torch.optim's state dict
  std::map<std::string, at::Tensor> rng;  // generator states: "cpu", "cuda"
  double loss_scale = 1;
  std::int64_t growth_tracker = 0;
  std::vector<double> evaluations;  // the value that best.pth is chosen by, of each so far
  std::optional<double> best;
  std::int64_t best_epoch = 0;
  bool evaluation_due = false;  // stopped between the last step of an epoch and its evaluation
  double seconds = 0;           // of training so far
  std::vector<std::string> bad_samples;
  std::map<std::string, DataIdentity> data;  // "train", "val"; "first_epoch": the samples that the sampler gives
};

struct Checkpoint {
  std::string spec;                    // resolved, as JSON text
  std::string model_type;              // "unet"
  std::vector<PluginVersion> plugins;  // that the network needs; not stored by older versions
  LabelMap labels;
  int channels = 3;        // that the network sees
  int image_channels = 3;  // of images before the transforms
  int dimensions = 2;
  std::int64_t epoch = 0;  // started
  std::int64_t step = 0;
  std::string metric_name;  // what best.pth is chosen by; empty without evaluation
  std::optional<double> metric;
  StateDict model;
  StateDict ema;                         // moving average of the weights, used for prediction; empty if there is none
  std::optional<Resumption> resumption;  // of last.pth and step-*.pth

  const StateDict& best_weights() const { return ema.empty() ? model : ema; }
};

// Readable by torch.load(weights_only=True): a dict of plain values, with the weights under "model".
void save_checkpoint(const std::filesystem::path& file, const Checkpoint& checkpoint);
// Throws DataError, also for a weights file that is not a checkpoint.
Checkpoint load_checkpoint(const std::filesystem::path& file);

// Throws DataError unless the weights contain exactly the tensors of the module, with the same shapes. model_type and
// file are named in messages.
void load_into(torch::nn::Module& module, const StateDict& weights, const std::string& model_type,
               const std::filesystem::path& file);

}  // namespace sectile
