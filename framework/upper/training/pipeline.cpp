#include "pipeline.h"

#include <algorithm>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/backbone.h>

#include "../inference/device.h"
#include "../inference/sliding_window.h"
#include "../weights/loading.h"

namespace sectile {
namespace {

TransformChain build(const std::vector<Ref<Transform>>& recipes, const BuildContext& context) {
  TransformChain chain;
  for (const auto& recipe : recipes) chain.push_back(recipe.build(context));
  return chain;
}

// Pixels of one sample's classes, added to the counts.
void count_labels(const cv::Mat& labels, std::vector<std::int64_t>& counts) {
  if (labels.empty()) return;
  if (labels.type() == CV_16SC1) {
    for (auto it = labels.begin<std::int16_t>(); it != labels.end<std::int16_t>(); ++it)
      if (*it != kIgnore) ++counts.at(static_cast<std::size_t>(*it));
    return;
  }
  Sample holder;
  holder.labels = labels;
  const auto inside = (labels_tensor(holder) >= 0.5).flatten(1).sum(1);  // of each class by itself
  for (std::size_t c = 0; c < counts.size(); ++c)
    counts[c] += inside[static_cast<std::int64_t>(c)].item<std::int64_t>();
}

// Counts once, when it is asked first.
std::function<std::vector<std::int64_t>()> counter_of(std::shared_ptr<const Dataset> data, bool skip_bad) {
  const auto known = std::make_shared<std::optional<std::vector<std::int64_t>>>();
  return [data, skip_bad, known] {
    if (*known) return **known;
    std::vector<std::int64_t> counts(data->labels().classes.size());
    for (std::size_t i = 0; i < data->size(); ++i) {
      try {
        count_labels(data->read(i, {.image = false, .labels = true, .objects = false}).labels, counts);
      } catch (const DataError&) {
        if (!skip_bad) throw;
      }
    }
    *known = counts;
    return counts;
  };
}

// "[32, 32]", with a depth for volumes.
std::string sizes_text(const std::array<int, 3>& size, bool volumes) {
  std::string text;
  for (std::size_t i = volumes ? 0 : 1; i < size.size(); ++i) {
    text += text.empty() ? "[" : ", ";
    text += std::to_string(size[i]);
  }
  return text + "]";
}

std::string names_of(const std::map<std::string, at::Tensor>& named) {
  std::string text;
  for (const auto& [name, unused] : named) text += (text.empty() ? "" : ", ") + name;
  return text.empty() ? "none" : text;
}

Outputs with_logits(Outputs outputs, at::Tensor logits) {
  outputs.logits = std::move(logits);
  return outputs;
}
Batch with_labels(Batch batch, at::Tensor labels) {
  batch.labels = std::move(labels);
  return batch;
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
  context.data = data;
  context.count_pixels = counter_of(data, pipeline.spec.data.on_bad_sample == PipelineSpec::BadSample::skip);
  pipeline.training = {data, build(pipeline.spec.transforms.train, context), seed, pipeline.spec.transforms.fuse};
  pipeline.evaluation_transforms = build(pipeline.spec.transforms.val, context);
  const auto first = pipeline.prepare({}).sample;
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
  prepare_for_inference(
      pipeline.model->module(),
      {.precision = scalar_type(pipeline.precision_), .device = device, .format = network_format(device)});
  return pipeline;
}

void Pipeline::build_model(bool load_weights_files) {
  // The host sees every component right after it is built, also those inside others, so that weights and freezing work
  // at any depth. A checkpoint's weights come later, so the files that training started from are not read again.
  context.after_build = [this, load_weights_files](const Component& component, void* made, const void* common) {
    const std::string kind = component.kind;
    const auto name = kind + " \"" + component.name + "\"";
    const auto load = [&](torch::nn::Module& module, const auto& options) {
      if (load_weights_files && !options.weights.empty())
        notes.push_back(
            start_from(module, load_weights(options.weights), {options.weights, name, options.weights_strict}));
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
  check_model();
  collation_ = {.traits = model->traits(),
                .classes = context.classes(),
                .objects = spec.task != Task::semantic,
                .own_targets = dynamic_cast<const OwnTargets*>(model.get()),
                .model = spec.model.type()};
}

// What only shows when the model is there.
void Pipeline::check_model() const {
  std::vector<Problem> problems;
  const auto traits = model->traits();
  const auto name = "model \"" + spec.model.type() + "\"";
  const auto can = [&](Task task) {
    return std::find(traits.tasks.begin(), traits.tasks.end(), task) != traits.tasks.end();
  };
  if (!can(spec.task)) problems.push_back({"/task", name + " cannot do it"});
  const bool volumes = context.dimensions == 3;
  if (std::find(traits.dimensions.begin(), traits.dimensions.end(), context.dimensions) == traits.dimensions.end())
    problems.push_back({"/model/type", "\"" + spec.model.type() + "\" works on " + (volumes ? "images" : "volumes") +
                                           ", and the data has " + (volumes ? "volumes" : "images") +
                                           ": choose another model"});
  if (const auto& own = spec.inference.window) {
    const std::array<int, 3> divisor{traits.divisor.depth, traits.divisor.height, traits.divisor.width};
    const auto axes = std::min<std::size_t>(own->size(), volumes ? 3 : 2);
    bool fits = true;
    for (std::size_t i = 1; i <= axes; ++i) fits &= own->end()[-static_cast<int>(i)] % divisor[3 - i] == 0;
    if (!fits) problems.push_back({"/inference/window", name + " takes multiples of " + sizes_text(divisor, volumes)});
    const std::array<int, 3> least{traits.least.depth, traits.least.height, traits.least.width};
    bool large_enough = true;
    for (std::size_t i = 1; i <= axes; ++i) large_enough &= own->end()[-static_cast<int>(i)] >= least[3 - i];
    if (!large_enough)
      problems.push_back({"/inference/window", name + " takes at least " + sizes_text(least, volumes)});
    if (!volumes && own->size() == 3 && own->front() != 1)
      problems.push_back({"/inference/window", "has a depth, and the data has images: give [height, width]"});
    const std::array<int, 3> window{traits.window.depth, traits.window.height, traits.window.width};
    if (traits.pad_to_window &&
        !std::equal(own->rbegin(), own->rbegin() + static_cast<std::ptrdiff_t>(axes), window.rbegin()))
      problems.push_back({"/inference/window", name + " takes no other than " + sizes_text(window, volumes)});
  }
  const auto all = metrics();
  for (std::size_t i = 0; i < all.size(); ++i) {
    const auto wanted = all[i]->wanted();
    const char* lacking = wanted.instances && !can(Task::instance)  ? "instances"
                          : wanted.segments && !can(Task::panoptic) ? "panoptic segments"
                                                                    : nullptr;
    if (lacking)
      problems.push_back({"/metrics/" + std::to_string(i),
                          "\"" + spec.metrics[i].type() + "\" wants " + lacking + ", and " + name + " gives none"});
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
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    const auto& common = recipes[i].common();
    losses_.push_back({.loss = recipes[i].build(context),
                       .common = common,
                       .name = (common.output.empty() ? "" : common.output + "/") + recipes[i].type(),
                       .pointer = "/loss/" + std::to_string(i)});
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

Prepared Pipeline::prepare(const Occasion& when) const {
  auto how = collation_;
  how.training = true;
  const auto prepared_at = [&](const Occasion& then) {
    auto sample = training.prepare(then);
    refuse_size(sample, how);
    return sample;
  };
  if (spec.data.on_bad_sample == PipelineSpec::BadSample::stop) return {prepared_at(when), {}};
  Prepared prepared;
  for (std::size_t tries = 0; tries < training.data->size(); ++tries) {
    try {
      auto next = when;
      next.index = (when.index + tries) % training.data->size();
      prepared.sample = prepared_at(next);
      return prepared;
    } catch (const DataError& error) {
      prepared.bad.push_back(error.what());
    }
  }
  throw DataError("/data/train", "has no sample that can be used; the first: " + prepared.bad.front());
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

Outputs Pipeline::infer(const Batch& batch, const std::vector<std::string>& named) const {
  const PrecisionScope scope(device, precision_);
  auto outputs = sectile::infer(*model, batch, spec.inference, named);
  if (outputs.logits.defined() && outputs.logits.scalar_type() != at::kDouble)
    outputs.logits = outputs.logits.to(at::kFloat);
  return outputs;
}

Batch Pipeline::collate(std::vector<Sample> samples, bool for_training) const {
  auto how = collation_;
  how.training = for_training;
  const bool by_windows = window_size(how.traits, spec.inference, context.dimensions)[1] > 0;
  if (!for_training && by_windows) how.traits.least = {1, 1, 1};  // a window keeps its size
  return sectile::collate(std::move(samples), how);
}

std::pair<at::Tensor, std::vector<Pipeline::NamedTerm>> Pipeline::loss(const Outputs& outputs,
                                                                       const Batch& batch) const {
  at::Tensor sum;
  std::vector<NamedTerm> terms;
  const auto add = [&](const WeighedLoss& one, const Outputs& from, const Batch& truth, double factor,
                       const std::string& prefix) {
    for (const auto& term : (*one.loss)(from, truth)) {
      const auto value = term.value * factor;
      sum = sum.defined() ? sum + value : value;
      terms.push_back({prefix + one.name + (term.name.empty() ? "" : "/" + term.name), term.value.detach()});
    }
  };
  for (const auto& one : losses_) {
    const auto& [weight, auxiliary, output, target] = one.common;
    const auto count = outputs.auxiliary.size();
    if (auxiliary.size() > 1 && auxiliary.size() != count)
      throw SpecError(one.pointer + "/auxiliary", "has " + std::to_string(auxiliary.size()) + " weights, and model \"" +
                                                      spec.model.type() + "\" gives " + std::to_string(count) +
                                                      " auxiliary outputs: give one for each, or one for all");
    if (!output.empty() && !outputs.named.count(output))
      throw SpecError(one.pointer + "/output", "model \"" + spec.model.type() + "\" gives no output \"" + output +
                                                   "\"; it gives: " + names_of(outputs.named));
    if (!target.empty() && !batch.targets.count(target))
      throw SpecError(one.pointer + "/target", "no sample of the batch has the target \"" + target +
                                                   "\"; there are: " + names_of(batch.targets));
    const auto truth = target.empty() ? batch : with_labels(batch, batch.targets.at(target));
    add(one, output.empty() ? outputs : with_logits(outputs, outputs.named.at(output)), truth, weight, "");
    for (std::size_t a = 0; a < count; ++a) {
      const auto& more = outputs.auxiliary[a];
      const double own = auxiliary.empty() ? more.weight : auxiliary[auxiliary.size() == 1 ? 0 : a];
      if (own == 0 || (!output.empty() && !more.named.count(output))) continue;
      add(one, output.empty() ? more : with_logits(more, more.named.at(output)), truth, weight * own,
          "auxiliary" + std::to_string(a) + "/");
    }
  }
  return {sum, std::move(terms)};
}

std::vector<std::shared_ptr<Metric>> Pipeline::metrics() const {
  std::vector<std::shared_ptr<Metric>> made;
  for (const auto& recipe : spec.metrics) made.push_back(recipe.build(context));
  return made;
}

}  // namespace sectile
