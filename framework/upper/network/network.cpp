#include "network.h"

#include <algorithm>

#include <ATen/ops/aminmax.h>
#include <ATen/ops/stack.h>

#include <sectile/backbone.h>
#include <sectile/transforms/nested.h>

#include "../../ground/component_call.h"
#include "../../ground/weights/weights_cache.h"
#include "../loading/layout.h"
#include "../loading/sample_check.h"
#include "../weights/files/weights_file.h"
#include "../weights/loading.h"
#include "device.h"
#include "sliding_window.h"

namespace sectile {
namespace {

constexpr const char* kNotFinite = "has weights that are not finite (NaN or Inf), as after training that diverged";

std::string shape_text(at::IntArrayRef sizes) {
  std::string text;
  for (const auto size : sizes) text += (text.empty() ? "" : ", ") + std::to_string(size);
  return "[" + text + "]";
}
std::string shape_text(const at::Tensor& tensor) {  // "Float [2, 3, 64, 64]"
  return std::string(c10::toString(tensor.scalar_type())) + " " + shape_text(tensor.sizes());
}

std::string sized_images_of(const Batch& batch) {  // "a.png (3000 x 4000 pixels)", as in the file
  std::string names;
  for (const auto& sample : batch.truth) {
    const auto size = sample.geometry.original;
    names += (names.empty() ? "" : ", ") + sample.id + " (" + std::to_string(size.height) + " x " +
             std::to_string(size.width) + " pixels)";
  }
  return names;
}

// What the user of a weights file may want to know besides its names.
// A head keeps its rows whatever they are called here.
std::string about_classes(const WeightsContent& read, const LabelMap& labels) {
  if (read.classes.size() != labels.classes.size()) return "";
  for (std::size_t i = 0; i < read.classes.size(); ++i)
    if (const auto& here = labels.classes[i].name; read.classes[i] != here)
      return "; its class " + std::to_string(i) + " was \"" + read.classes[i] + "\", and is \"" + here +
             "\" here: if the head was loaded, classes need the order of the file";
  return "";
}

std::string about(const WeightsContent& read) {
  std::string text;
  if (read.averaged)
    text += "; these are its moving average (EMA), which its metrics are of";
  else if (!read.key.empty() && !read.checkpoint)
    text += "; from its \"" + read.key + "\"";
  const auto add = [&](const char* what, const auto& names) {
    constexpr std::size_t kShown = 10;
    std::size_t count = 0;
    for (const auto& name : names)
      if (++count <= kShown) text += (count == 1 ? what + std::string(" ") : ", ") + name;
    if (count > kShown) text += " and " + std::to_string(count - kShown) + " more";
  };
  add("; not tensors, ignored:", read.not_tensors);
  add("; left out:", read.left_out);
  add("; kept as plain values, and never called:", read.not_called);
  return text;
}

// Of published weights: the downloaded file.
std::filesystem::path file_of(const std::filesystem::path& weights, const Component& component) {
  const auto* entry = entry_in_spec(weights);
  if (entry && (entry->kind != component.kind || entry->type != component.name))
    throw DataError(weights, "are weights of the " + entry->kind + " \"" + entry->type + "\", and the spec has the " +
                                 component.kind + " \"" + component.name + "\"");
  return entry ? weights_file(*entry) : weights;
}

}  // namespace

Network::Network(PipelineSpec plan, const at::Device& where)
    : spec(std::move(plan)), device(where), precision_(computed_precision(device, spec.train.precision)) {
  context.task = spec.task;
  if (precision_ != spec.train.precision)
    notes.emplace_back(
        "this processor does not support /train/precision, and emulation is several times slower: using fp32");
}

Network Network::from_checkpoint(PipelineSpec plan, const Checkpoint& checkpoint, const std::filesystem::path& file,
                                 const at::Device& device) {
  if (plan.model.type() != checkpoint.model_type)
    throw DataError(file, "contains a trained \"" + checkpoint.model_type + "\", and the spec names the model \"" +
                              plan.model.type() + "\"; train that model first, or use the checkpoint without the spec");
  Network network(std::move(plan), device);
  network.context.labels = std::make_shared<LabelMap>(checkpoint.labels);
  network.context.channels = checkpoint.channels;
  network.image_channels = checkpoint.image_channels;
  network.context.dimensions = checkpoint.dimensions;
  network.build_evaluation_transforms();
  AllProblems all;
  network.build_model(false, all);
  all.report();
  load_into(network.model->module(), checkpoint.best_weights(), checkpoint.model_type, file);
  if (!all_finite(state_dict(network.model->module()))) throw DataError(file, kNotFinite);
  set_training(network.model->module(), false);
  return network;
}

Checkpoint Network::checkpoint(std::string resolved_spec) const {
  Checkpoint checkpoint;
  checkpoint.spec = std::move(resolved_spec);
  checkpoint.plugins = network_plugins(spec);
  checkpoint.model_type = spec.model.type();
  checkpoint.labels = *context.labels;
  checkpoint.channels = context.channels;
  checkpoint.image_channels = image_channels;
  checkpoint.dimensions = context.dimensions;
  checkpoint.model = state_dict(model->module());
  return checkpoint;
}

void Network::build_evaluation_transforms() {
  evaluation_transforms = build_all(spec.transforms.val, context);
  std::vector<Problem> problems;
  for (const auto& place : effects_of(evaluation_transforms, "/transforms/val").mixing)
    problems.push_back({place,
                        "mixes other samples into each, so that it would not be the image of the file that is "
                        "evaluated or predicted; move it to \"train\""});
  if (!problems.empty()) throw SpecError(std::move(problems));
}

void Network::prepare_for_inference() {
  sectile::prepare_for_inference(
      model->module(),
      {.precision = scalar_type(precision_), .device = device, .format = network_format(device), .pack = true});
}

void Network::build_model(bool load_weights_files, AllProblems& all) {
  // Called for every component right after it is built, including nested ones, so that weights and freezing work at any
  // depth. A checkpoint's weights are loaded later, and the files that training started from are not read again.
  context.after_build = [this, load_weights_files, &all](const Component& component, void* made, const void* common) {
    const std::string kind = component.kind;
    const auto name = kind + " \"" + component.name + "\"";
    const auto load = [&](torch::nn::Module& module, const auto& options) {
      if (!load_weights_files || options.weights.empty()) return;
      const std::string pointer = kind == Kind<Model>::name ? "/model/weights" : "/model/backbone/weights";
      all.try_to(pointer, [&] {
        try {
          const auto file = file_of(options.weights, component);
          const auto read = read_weights(file, options.weights_key);
          WeightsFile weights{file, name, options.weights_strict};
          weights.whole = !is_trained_ && kind == Kind<Model>::name;
          weights.channels = options.weights_channels;
          weights.spare = read.spare;
          notes.push_back(start_from(module, read.state, weights) + about(read) +
                          (kind == Kind<Model>::name ? about_classes(read, *context.labels) : ""));
          if (!all_finite(state_dict(module))) throw DataError(file, kNotFinite);
        } catch (const DataError& error) {
          throw DataError(pointer, error.what());
        }
      });
    };
    if (kind == Kind<Model>::name)
      load(static_cast<Model*>(made)->module(), *static_cast<const Kind<Model>::Common*>(common));
    if (kind != Kind<Backbone>::name) return;
    const auto& options = *static_cast<const Kind<Backbone>::Common*>(common);
    load(*static_cast<Backbone*>(made), options);
    freeze(*static_cast<Backbone*>(made), options.freeze, name);
  };
  model = spec.model.build(context);
  context.after_build = nullptr;
  to_device(model->module(), device);
  if (spec.train.precision == PipelineSpec::Precision::fp64) to_double(model->module());
  to_format(model->module(), network_format(device));
  all.try_to("/model", [&] { check_model(); });
  collation_ = {.traits = model->traits(),
                .classes = context.classes(),
                .objects = spec.task != Task::semantic,
                .own_targets = dynamic_cast<const OwnTargets*>(model.get()),
                .model = spec.model.type(),
                .channels = context.channels,
                .dimensions = context.dimensions};
}

void Network::refuse_one_class(const std::string& pointer) const {
  const auto& labels = *context.labels;
  if (spec.task == Task::semantic && labels.classes.size() == 1 && !labels.overlapping)
    throw SpecError(pointer, "has a single class, \"" + labels.classes[0].name +
                                 "\", so there is nothing to tell apart: name the background as a class too. A network "
                                 "of one logit per pixel, with a threshold, cannot be used as it is");
}

SampleSource Network::source(const std::string& split, Parts wanted) const {
  const Ref<Dataset>* recipe = split == "train"  ? &spec.data.train
                               : split == "val"  ? &spec.data.val
                               : split == "test" ? &spec.data.test
                                                 : nullptr;
  if (!recipe) throw SpecError("split", "unknown split \"" + split + "\"; known: train, val, test");
  if (!*recipe) throw SpecError("/data/" + split, "is missing: the spec has no such split");
  BuildContext before_labels;
  before_labels.task = spec.task;
  std::vector<std::string> told;
  const auto data = open_dataset(*recipe, before_labels, "/data/" + split, told, wanted);
  auto labels = data->labels();
  if (spec.task == Task::semantic)  // to which things and stuff are the same
    for (std::size_t i = 0; i < std::min(labels.classes.size(), context.labels->classes.size()); ++i)
      labels.classes[i].thing = context.labels->classes[i].thing;
  if (const auto found = labels.difference(*context.labels); wanted.labels && !found.empty())
    throw DataError("/data/" + split,
                    "has the classes " + labels.text() + ", and the network " + context.labels->text() + ": " + found);
  SampleSource from{data, evaluation_transforms, static_cast<std::uint64_t>(spec.train.seed), spec.transforms.fuse};
  from.notes = std::move(told);
  from.parts = wanted;
  return from;
}

Batch Network::placed(Batch batch) const {
  batch = to_device(std::move(batch), device);
  if (batch.images.dim() == 4) batch.images = batch.images.contiguous(network_format(device));
  if (spec.train.precision == PipelineSpec::Precision::fp64) batch.images = batch.images.to(at::kDouble);
  return batch;
}

Outputs Network::forward(const Batch& batch) const {
  const PrecisionScope scope(device, precision_);
  auto outputs = call<PluginError>(
      place_of(model), ids_of(batch), [&] { return model->forward(batch); }, kBatchHint);
  check_outputs(outputs, batch);
  return outputs;
}

Outputs Network::infer(const Batch& batch, const std::vector<std::string>& named) const {
  const PrecisionScope scope(device, precision_);
  auto outputs = sectile::infer(*model, batch, spec.inference, named);
  check_outputs(outputs, batch);
  if (outputs.logits.defined() && outputs.logits.scalar_type() != at::kDouble)
    outputs.logits = outputs.logits.to(at::kFloat);
  return outputs;
}

// Scores of another number of classes would train and predict without an error.
void Network::check_outputs(const Outputs& outputs, const Batch& batch) const {
  for (const auto& one : outputs.auxiliary) check_outputs(one, batch);
  const auto& logits = outputs.logits;
  if (!logits.defined()) return;
  const auto classes = context.classes();
  if (logits.dim() == batch.images.dim() && logits.size(0) == batch.images.size(0) && logits.size(1) == classes &&
      logits.is_floating_point())
    return;
  throw PluginError("/model", "model \"" + spec.model.type() + "\" returned logits of " + shape_text(logits) +
                                  " for images of " + shape_text(batch.images) + " (" + ids_of(batch) +
                                  "): expected floating point [N, " + std::to_string(classes) +
                                  ", ...], one channel for each of the " + std::to_string(classes) + " classes");
}

Batch Network::collate(std::vector<Sample> samples, bool for_training) const {
  auto how = collation_;
  how.training = for_training;
  if (!for_training)
    for (const auto& sample : samples) check_sample(sample, how);
  const bool by_windows = window_size(how.traits, spec.inference, context.dimensions)[1] > 0;
  if (!for_training && by_windows) how.traits.least = {1, 1, 1};  // a window keeps its size
  return sectile::collate(std::move(samples), how);
}

// Whether one image's prediction may be put together from bands, which are decoded one by one: it has the pixels of the
// file, and only its labels are requested (softmax rounds by the position in memory, and scores fill it anyway).
bool Network::by_bands(const Batch& batch, const Wanted& wanted) const {
  const auto& geometry = batch.truth.front().geometry;
  return batch.truth.size() == 1 && spec.task == Task::semantic && wanted.named.empty() && !wanted.scores &&
         geometry.original == batch.sizes.front() && geometry.to_original == cv::Matx44d::eye();
}

// What a model's own decoder returns is written and counted as it is.
std::vector<Prediction> Network::decoded(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const {
  auto predictions = model->decode(outputs, batch, wanted);
  const auto fail = [&](const std::string& reason) {
    throw PluginError("/model", "model \"" + spec.model.type() + "\" decoded " + reason + " (" + ids_of(batch) + ")");
  };
  const auto images = batch.truth.size();
  if (predictions.size() != images)
    fail(std::to_string(predictions.size()) + " predictions for " + std::to_string(images) + " images");
  if (!wanted.labels || spec.task != Task::semantic) return predictions;
  for (std::size_t i = 0; i < images; ++i) {
    const auto& labels = predictions[i].labels;
    auto sizes = spatial(batch.truth[i].geometry.original, batch.images.dim() == 5);
    if (wanted.overlapping) sizes.insert(sizes.begin(), context.classes());
    if (!labels.defined()) fail("no labels");
    if (labels.sizes() != sizes || labels.scalar_type() != (wanted.overlapping ? at::kBool : at::kLong))
      fail("labels of " + shape_text(labels) + ": expected " + (wanted.overlapping ? "Bool " : "Long ") +
           shape_text(sizes));
    if (wanted.overlapping || labels.numel() == 0) continue;
    const auto [least, most] = at::aminmax(labels);
    const auto range = at::stack({least, most}).cpu();  // one transfer
    const auto* numbers = range.const_data_ptr<std::int64_t>();
    if (numbers[0] < kIgnore || numbers[1] >= context.classes())
      fail("class numbers from " + std::to_string(numbers[0]) + " to " + std::to_string(numbers[1]) +
           ", and there are " + std::to_string(context.classes()) + " classes");
  }
  return predictions;
}

Prediction Network::predict_bands(const Batch& batch, const std::array<std::int64_t, 3>& window,
                                  const Wanted& wanted) const {
  const PrecisionScope scope(device, precision_);
  const bool volume = batch.images.dim() == 5;
  const auto rows = volume ? batch.sizes[0].depth : batch.sizes[0].height;
  Prediction whole;
  whole.id = batch.truth[0].id;
  infer_bands(*model, batch, window, spec.inference, {}, [&](const Outputs& outputs, std::int64_t first) {
    if (first >= rows) return;  // padding
    std::array<std::int64_t, 3> corner{0, 0, 0}, size{1, 0, 0};
    corner[volume ? 0 : 1] = first;
    std::copy(outputs.logits.sizes().begin() + 2, outputs.logits.sizes().end(), size.end() - (volume ? 3 : 2));
    auto band = window_of(batch, corner, size);
    check_outputs(outputs, band);
    band.truth[0].geometry = {};
    band.truth[0].geometry.original = band.sizes[0];
    const auto part = decoded(outputs, band, wanted).at(0);
    const int axis = volume ? -3 : -2;
    if (wanted.labels) put_rows(whole.labels, part.labels, axis, first, rows);
  });
  return whole;
}

std::vector<Prediction> Network::predict(Batch batch, const Wanted& wanted) const {
  return call<DataError>(
      place_of(model), sized_images_of(batch),
      [&] {
        batch = placed(std::move(batch));
        const auto window = windows_of(*model, batch, spec.inference);
        if (window && by_bands(batch, wanted)) return std::vector{predict_bands(batch, *window, wanted)};
        return decoded(infer(batch, wanted.named), batch, wanted);
      },
      kWindowHint);
}

std::vector<std::shared_ptr<Metric>> Network::metrics() const {
  std::vector<std::shared_ptr<Metric>> made;
  for (const auto& recipe : spec.metrics) made.push_back(recipe.build(context));
  return made;
}

}  // namespace sectile
