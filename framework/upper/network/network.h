// A network with all that using it needs: its weights, classes, device and precision, and the spec that says how images
// come to it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/metric.h>
#include <sectile/model.h>

#include "../../ground/spec/pipeline_spec.h"
#include "../loading/batch.h"
#include "../loading/sample_source.h"
#include "../weights/checkpoint.h"

namespace sectile {

class Network {
 public:
  // A trained one: everything comes from the checkpoint, and no dataset is opened before source() asks for it. `file`
  // is named in messages. Throws SpecError, PluginError, DataError.
  static Network from_checkpoint(PipelineSpec spec, const Checkpoint& checkpoint, const std::filesystem::path& file,
                                 const at::Device& device);

  Network(Network&&) = default;

  // Brings layers into their faster form, which has no gradients and cannot be undone.
  void prepare_for_inference();

  // "train", "val" or "test", with the transforms of evaluation. Throws SpecError where the spec has no such dataset,
  // and DataError where its classes are not those of the network.
  SampleSource source(const std::string& split) const;

  // training: with the model's own targets. Called from several threads at once.
  Batch collate(std::vector<Sample> samples, bool training = false) const;
  Batch placed(Batch batch) const;  // on the device, in the spec's precision

  Outputs forward(const Batch& batch) const;  // in the spec's precision
  // The same, by windows where the spec or the model wants them; then only the logits and the named ones are there.
  Outputs infer(const Batch& batch, const std::vector<std::string>& named = {}) const;
  // What the network says of each image of a batch that collate() made, on the network's device.
  std::vector<Prediction> predict(Batch batch, const Wanted& wanted) const;

  std::vector<std::shared_ptr<Metric>> metrics() const;  // new ones

  PipelineSpec spec;
  BuildContext context;
  at::Device device;
  TransformChain evaluation_transforms;
  std::shared_ptr<Model> model;
  std::vector<std::string> notes;  // worth telling: what weights were loaded and what was not

 protected:
  Network(PipelineSpec spec, const at::Device& device);
  // Of the context, which is complete but for the model. load_weights_files: those that the spec names.
  void build_model(bool load_weights_files);

  Collation collation_;

 private:
  void check_model() const;

  PipelineSpec::Precision precision_;  // computed
};

// The transforms of a spec, in order.
TransformChain build_transforms(const std::vector<Ref<Transform>>& recipes, const BuildContext& context);

}  // namespace sectile
