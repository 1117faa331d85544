// A network with everything needed to use it: weights, classes, device and precision, and the spec with its transforms.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/metric.h>
#include <sectile/model.h>

#include "../../ground/all_problems.h"
#include "../../ground/spec/pipeline_spec.h"
#include "../loading/batch.h"
#include "../loading/sample_source.h"
#include "../weights/checkpoint.h"

namespace sectile {

// What to do if a training step, or a prediction, needs more memory than there is.
constexpr const char* kBatchHint = "a smaller /train/batch_size or smaller crops need less";
constexpr const char* kWindowHint = "/inference/window, such as [512, 512], predicts large images in parts";

class Network {
 public:
  // A trained network: everything is taken from the checkpoint, and datasets are only opened by source(). `file` is
  // named in messages. Throws SpecError, PluginError, DataError.
  static Network from_checkpoint(PipelineSpec spec, const Checkpoint& checkpoint, const std::filesystem::path& file,
                                 const at::Device& device);

  // A network with the weights file that its spec names, such as a published one: classes and channels are those of the
  // first dataset of the spec that can be opened, or the spec's own. Throws SpecError, PluginError, DataError; also if
  // the file does not have all of the weights.
  static Network from_weights(PipelineSpec spec, const at::Device& device);

  Network(Network&&) = default;

  // Of the network alone, with its present weights. resolved_spec: its text.
  Checkpoint checkpoint(std::string resolved_spec) const;

  // Converts layers to their faster inference form, which has no gradients and cannot be undone.
  void prepare_for_inference();

  // "train", "val" or "test", with the evaluation transforms. Throws SpecError if the spec has no such dataset, and
  // DataError if its labels are requested and its classes differ from those of the network.
  SampleSource source(const std::string& split, Parts wanted = {}) const;

  // training: with the model's own targets. Called from several threads at once.
  Batch collate(std::vector<Sample> samples, bool training = false) const;
  Batch placed(Batch batch) const;  // on the device, in the spec's precision

  // In the spec's precision. Throws PluginError for logits of another shape than the contract's.
  Outputs forward(const Batch& batch) const;
  // The same, in windows if the spec or the model sets a size; then only logits and named outputs are computed.
  Outputs infer(const Batch& batch, const std::vector<std::string>& named = {}) const;
  // The predictions for each image of a batch from collate(), on the network's device.
  std::vector<Prediction> predict(Batch batch, const Wanted& wanted) const;

  std::vector<std::shared_ptr<Metric>> metrics() const;  // new ones

  PipelineSpec spec;
  BuildContext context;
  at::Device device;
  TransformChain evaluation_transforms;
  int image_channels = 3;  // of images before the transforms; context.channels: after them
  std::shared_ptr<Model> model;
  std::vector<std::string> notes;  // notes for the user: which weights were loaded and which were not

 protected:
  Network(PipelineSpec spec, const at::Device& device);
  // Throws SpecError with all problems, such as transforms that only training has a use for.
  void build_evaluation_transforms();
  // Of published weights on images that are prepared in another way.
  void note_other_preprocessing();
  bool has_published_weights() const;  // named as in the catalogue
  void refuse_one_class(const std::string& pointer) const;
  // From the context, which is complete except for the model. load_weights_files: those that the spec names.
  // Weights that cannot be loaded, and checks of the model that fail, are added to `all`.
  void build_model(bool load_weights_files, AllProblems& all);

  Collation collation_;

 private:
  void find_classes();
  void find_classes_of_data();
  void find_channels();
  Sample transformed_example() const;
  void check_model() const;
  void check_outputs(const Outputs& outputs, const Batch& batch) const;
  std::vector<Prediction> decoded(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const;
  bool by_bands(const Batch& batch, const Wanted& wanted) const;
  Prediction predict_bands(const Batch& batch, const std::array<std::int64_t, 3>& window, const Wanted& wanted) const;

  PipelineSpec::Precision precision_;  // that is used
  bool is_trained_ = true;             // after it is built, so that its files may leave initial values
};

}  // namespace sectile
