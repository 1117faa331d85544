#include "pipeline.h"

#include <algorithm>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/backbone.h>

#include "../inference/device.h"
#include "../inference/sliding_window.h"
#include "../loading/batch.h"

namespace sectile {
namespace {

TransformChain build(const std::vector<Ref<Transform>>& recipes, const BuildContext& context) {
  TransformChain chain;
  for (const auto& recipe : recipes) chain.push_back(recipe.build(context));
  return chain;
}

std::string told(const std::filesystem::path& file, const LoadReport& report) {
  const auto count = [](const std::vector<std::string>& names, const char* what) {
    return names.empty()
               ? std::string()
               : ", " + std::to_string(names.size()) + what + " (" + names.front() + (names.size() > 1 ? ", …)" : ")");
  };
  return file.string() + ": " + std::to_string(report.loaded.size()) + " tensors loaded" +
         count(report.missing, " missing in the file") + count(report.unexpected, " not known to the network") +
         count(report.reshaped, " of another shape, left as made");
}

}  // namespace

Pipeline::Pipeline(PipelineSpec plan, const at::Device& where)
    : spec(std::move(plan)), device(where), precision_(computed_precision(device, spec.train.precision)) {
  context.task = spec.task;
  if (precision_ != spec.train.precision)
    notes.push_back(
        "this processor has no instructions for /train/precision, and emulating them is several times slower: fp32 is "
        "computed");
}

Pipeline Pipeline::for_training(const PluginIndex& index, PipelineSpec plan, const at::Device& device) {
  Pipeline pipeline(std::move(plan), device);
  auto& context = pipeline.context;
  const auto seed = static_cast<std::uint64_t>(pipeline.spec.train.seed);
  at::manual_seed(seed);
  const std::shared_ptr<const Dataset> data = pipeline.spec.data.train.build(context);
  if (data->size() == 0) throw DataError("/data/train", "has no samples");
  context.labels = std::make_shared<LabelMap>(data->labels());
  context.count_pixels = [data] {
    std::vector<std::int64_t> counts(data->labels().classes.size());
    for (std::size_t i = 0; i < data->size(); ++i) {
      const auto sample = data->read(i, {.image = false, .labels = true, .objects = false});
      if (sample.labels.type() != CV_16SC1) continue;
      for (auto it = sample.labels.begin<std::int16_t>(); it != sample.labels.end<std::int16_t>(); ++it)
        if (*it != kIgnore) ++counts.at(static_cast<std::size_t>(*it));
    }
    return counts;
  };
  pipeline.training = {data, build(pipeline.spec.transforms.train, context), seed, pipeline.spec.transforms.fuse};
  pipeline.evaluation_transforms = build(pipeline.spec.transforms.val, context);
  const auto first = pipeline.prepare(0, 0).sample;
  context.channels = first.image.channels();
  context.dimensions = first.image.dims;
  pipeline.build_model(true);
  pipeline.build_losses(index);
  return pipeline;
}

Pipeline Pipeline::from_checkpoint(PipelineSpec plan, const Checkpoint& checkpoint, const std::filesystem::path& file,
                                   const at::Device& device) {
  if (plan.model.type() != checkpoint.model_type)
    throw DataError(file, "holds a trained \"" + checkpoint.model_type + "\", and the spec names the model \"" +
                              plan.model.type() + "\"; train that one first, or use the checkpoint alone");
  Pipeline pipeline(std::move(plan), device);
  pipeline.context.labels = std::make_shared<LabelMap>(checkpoint.labels);
  pipeline.context.channels = checkpoint.channels;
  pipeline.context.dimensions = checkpoint.dimensions;
  pipeline.evaluation_transforms = build(pipeline.spec.transforms.val, pipeline.context);
  pipeline.build_model(false);
  load_into(pipeline.model->module(), checkpoint.best_weights(), checkpoint.model_type, file);
  prepare_for_inference(pipeline.model->module());
  return pipeline;
}

void Pipeline::build_model(bool load_weights_files) {
  // The host sees every component right after it is built, also those inside others, so that weights and freezing work
  // at any depth. A checkpoint's weights come later, so the files that training started from are not read again.
  context.after_build = [this, load_weights_files](const Component& component, void* made, const void* common) {
    const std::string kind = component.kind;
    const auto load = [&](torch::nn::Module& module, const std::filesystem::path& file) {
      if (load_weights_files && !file.empty()) notes.push_back(told(file, load_state(module, load_weights(file))));
    };
    if (kind == Kind<Model>::name)
      load(static_cast<Model*>(made)->module(), static_cast<const Kind<Model>::Common*>(common)->weights);
    if (kind != Kind<Backbone>::name) return;
    const auto& options = *static_cast<const Kind<Backbone>::Common*>(common);
    load(*static_cast<Backbone*>(made), options.weights);
    freeze(*static_cast<Backbone*>(made), options.freeze);
  };
  model = spec.model.build(context);
  context.after_build = nullptr;
  to_device(model->module(), device);
  if (spec.train.precision == PipelineSpec::Precision::fp64) to_double(model->module());
  to_format(model->module(), network_format(device));
  std::vector<Problem> problems;  // what only shows when the model is there
  const auto tasks = model->traits().tasks;
  const auto can = [&](Task task) { return std::find(tasks.begin(), tasks.end(), task) != tasks.end(); };
  if (!can(spec.task)) problems.push_back({"/task", "model \"" + spec.model.type() + "\" cannot do it"});
  const auto all = metrics();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto wanted = all[i]->wanted();
    const char* lacking = wanted.instances && !can(Task::instance)  ? "instances"
                          : wanted.segments && !can(Task::panoptic) ? "panoptic segments"
                                                                    : nullptr;
    if (lacking)
      problems.push_back({"/metrics/" + std::to_string(i), "\"" + spec.metrics[i].type() + "\" wants " + lacking +
                                                               ", and model \"" + spec.model.type() + "\" gives none"});
  }
  if (!problems.empty()) throw SpecError(std::move(problems));
}

void Pipeline::build_losses(const PluginIndex& index) {
  auto recipes = spec.loss;
  if (recipes.empty()) {
    const auto own = model->traits().loss;
    if (own.empty())
      throw SpecError("/loss", "name at least one, such as {\"type\": \"cross_entropy\"}: model \"" +
                                   spec.model.type() + "\" has none of its own");
    recipes = loss_by_name(index, own);
  }
  for (const auto& recipe : recipes) {
    losses_.emplace_back(recipe.build(context), recipe.common());
    loss_names_.push_back(recipe.type());
  }
}

SampleSource Pipeline::source(const std::string& split) const {
  const Ref<Dataset>* recipe = split == "train"  ? &spec.data.train
                               : split == "val"  ? &spec.data.val
                               : split == "test" ? &spec.data.test
                                                 : nullptr;
  if (!recipe) throw SpecError("--split", "unknown split \"" + split + "\"; known: train, val, test");
  if (!*recipe) throw SpecError("/data/" + split, "is missing: the spec has no such split");
  BuildContext before_labels;
  before_labels.task = spec.task;
  const std::shared_ptr<const Dataset> data = recipe->build(before_labels);
  if (data->size() == 0) throw DataError("/data/" + split, "has no samples");
  if (const auto found = data->labels().difference(*context.labels); !found.empty())
    throw DataError("/data/" + split, "has the classes " + data->labels().text() + ", and the network " +
                                          context.labels->text() + ": " + found);
  return {data, evaluation_transforms, static_cast<std::uint64_t>(spec.train.seed), spec.transforms.fuse};
}

Prepared Pipeline::prepare(std::size_t epoch, std::size_t index) const {
  if (spec.data.on_bad_sample == PipelineSpec::BadSample::stop) return {training.prepare(epoch, index), {}};
  Prepared prepared;
  for (std::size_t tries = 0; tries < training.data->size(); ++tries) {
    try {
      prepared.sample = training.prepare(epoch, (index + tries) % training.data->size());
      return prepared;
    } catch (const DataError& error) {
      prepared.bad.push_back(error.what());
    }
  }
  throw DataError("/data/train", "has no sample that can be read; the first: " + prepared.bad.front());
}

Batch Pipeline::placed(Batch batch) const {
  batch = to_device(std::move(batch), device);
  if (batch.images.dim() == 4) batch.images = batch.images.contiguous(network_format(device));
  if (spec.train.precision == PipelineSpec::Precision::fp64) batch.images = batch.images.to(at::kDouble);
  return batch;
}

Outputs Pipeline::forward(const Batch& batch) const {
  const PrecisionScope scope(device, precision_);
  return model->forward(batch);
}

Outputs Pipeline::infer(const Batch& batch) const {
  const PrecisionScope scope(device, precision_);
  auto outputs = sectile::infer(*model, batch, spec.inference);
  if (outputs.logits.defined() && outputs.logits.scalar_type() != at::kDouble)
    outputs.logits = outputs.logits.to(at::kFloat);
  return outputs;
}

Batch Pipeline::collate(std::vector<Sample> samples) const {
  return sectile::collate(std::move(samples), model->traits().divisor, context.classes());
}

std::pair<at::Tensor, std::vector<Pipeline::NamedTerm>> Pipeline::loss(const Outputs& outputs,
                                                                       const Batch& batch) const {
  at::Tensor sum;
  std::vector<NamedTerm> terms;
  const auto add = [&](std::size_t i, const Outputs& from, double factor, const std::string& prefix) {
    for (const auto& term : (*losses_[i].first)(from, batch)) {
      const auto value = term.value * factor;
      sum = sum.defined() ? sum + value : value;
      terms.push_back({prefix + loss_names_[i] + (term.name.empty() ? "" : "/" + term.name), term.value.detach()});
    }
  };
  for (std::size_t i = 0; i < losses_.size(); ++i) {
    const auto& common = losses_[i].second;
    add(i, outputs, common.weight, "");
    for (std::size_t a = 0; a < outputs.auxiliary.size(); ++a)
      if (common.auxiliary > 0)
        add(i, outputs.auxiliary[a], common.weight * common.auxiliary, "auxiliary" + std::to_string(a) + "/");
  }
  return {sum, std::move(terms)};
}

std::vector<std::shared_ptr<Metric>> Pipeline::metrics() const {
  std::vector<std::shared_ptr<Metric>> made;
  for (const auto& recipe : spec.metrics) made.push_back(recipe.build(context));
  return made;
}

}  // namespace sectile
