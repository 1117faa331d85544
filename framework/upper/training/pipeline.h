// A spec brought to life: data sets, transforms, network and losses, built and fitting together.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/loss.h>
#include <sectile/metric.h>
#include <sectile/model.h>

#include "../../ground/spec/pipeline_spec.h"
#include "../loading/batch.h"
#include "../loading/sample_source.h"
#include "checkpoint.h"

namespace sectile {

struct Prepared {
  Sample sample;
  std::vector<std::string> bad;  // what was wrong with those that could not be read
};

class Pipeline {
 public:
  // For training: classes, channels and dimensions come from the training data. Throws SpecError, PluginError,
  // DataError.
  static Pipeline for_training(const PluginIndex& index, PipelineSpec spec, const at::Device& device);
  // For evaluation and prediction: everything comes from the checkpoint, no data set is opened before source() asks for
  // it. Networks take their inference form. `file` is named in messages.
  static Pipeline from_checkpoint(PipelineSpec spec, const Checkpoint& checkpoint, const std::filesystem::path& file,
                                  const at::Device& device);

  Pipeline(Pipeline&&) = default;

  // "train", "val" or "test", with the transforms of evaluation. Throws SpecError where the spec has no such split, and
  // DataError where its classes are not those of the network.
  SampleSource source(const std::string& split) const;

  // A training sample after its transforms; where the spec skips bad ones, the next that can be read stands in for it.
  // Depends on the seed and the occasion alone; called from several threads at once.
  Prepared prepare(const Occasion& when) const;

  // training: with the model's own targets. Called from several threads at once.
  Batch collate(std::vector<Sample> samples, bool training = false) const;
  Batch placed(Batch batch) const;  // on the device, in the spec's precision

  Outputs forward(const Batch& batch) const;  // in the spec's precision
  // The same, by windows where the spec or the model wants them; then only the logits and the named ones are there.
  Outputs infer(const Batch& batch, const std::vector<std::string>& named = {}) const;

  struct NamedTerm {
    std::string name;  // "dice", "auxiliary0/dice", "edges/dice" of another output
    at::Tensor value;  // before its weight
  };
  // The weighted sum, and what it consists of. Throws SpecError for an output, a target or weights of auxiliary outputs
  // that the spec names and the model or the data do not have.
  std::pair<at::Tensor, std::vector<NamedTerm>> loss(const Outputs& outputs, const Batch& batch) const;

  std::vector<std::shared_ptr<Metric>> metrics() const;  // new ones

  PipelineSpec spec;
  BuildContext context;
  at::Device device;
  SampleSource training;  // of training pipelines only
  TransformChain evaluation_transforms;
  std::shared_ptr<Model> model;
  std::vector<std::string> notes;  // worth telling: what weights were loaded and what was not

 private:
  Pipeline(PipelineSpec spec, const at::Device& device);
  void build_model(bool load_weights_files);
  void build_losses(const PluginIndex& index);
  void check_model() const;

  struct WeighedLoss {
    std::shared_ptr<Loss> loss;
    Kind<Loss>::Common common;
    std::string name;
    std::string pointer;
  };

  PipelineSpec::Precision precision_;  // computed
  Collation collation_;
  std::vector<WeighedLoss> losses_;
};

}  // namespace sectile
