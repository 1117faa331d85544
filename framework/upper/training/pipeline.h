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
  // Depends on (seed, epoch, index) alone; called from several threads at once.
  Prepared prepare(std::size_t epoch, std::size_t index) const;

  Batch collate(std::vector<Sample> samples) const;
  Batch placed(Batch batch) const;  // on the device, in the spec's precision

  Outputs forward(const Batch& batch) const;  // in the spec's precision
  Outputs infer(const Batch& batch) const;    // the same, by windows where the spec or the model wants them

  struct NamedTerm {
    std::string name;  // "dice", "auxiliary0/dice"
    at::Tensor value;  // before its weight
  };
  // The weighted sum, and what it consists of.
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

  PipelineSpec::Precision precision_;  // computed
  std::vector<std::pair<std::shared_ptr<Loss>, Kind<Loss>::Common>> losses_;
  std::vector<std::string> loss_names_;
};

}  // namespace sectile
