#include "network.h"

#include <algorithm>

#include <sectile/backbone.h>
#include <sectile/notes.h>

#include "../weights/loading.h"
#include "device.h"
#include "sliding_window.h"

namespace sectile {
namespace {

// "[32, 32]", or with depth for volumes.
std::string sizes_text(const std::array<int, 3>& size, bool volumes) {
  std::string text;
  for (std::size_t i = volumes ? 0 : 1; i < size.size(); ++i) {
    text += text.empty() ? "[" : ", ";
    text += std::to_string(size[i]);
  }
  return text + "]";
}

}  // namespace

std::shared_ptr<const Dataset> build_data(const Ref<Dataset>& recipe, BuildContext context,
                                          std::vector<std::string>& notes) {
  context.after_build = [&notes](const Component& component, void* made, const void*) {
    if (component.kind != std::string(Kind<Dataset>::name)) return;
    const auto* role = dynamic_cast<const Notes*>(static_cast<Dataset*>(made));
    if (!role) return;
    const auto more = role->notes();
    notes.insert(notes.end(), more.begin(), more.end());
  };
  return recipe.build(context);
}

TransformChain build_transforms(const std::vector<Ref<Transform>>& recipes, const BuildContext& context) {
  TransformChain chain;
  for (const auto& recipe : recipes) chain.push_back(recipe.build(context));
  return chain;
}

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
  network.context.dimensions = checkpoint.dimensions;
  network.evaluation_transforms = build_transforms(network.spec.transforms.val, network.context);
  network.build_model(false);
  load_into(network.model->module(), checkpoint.best_weights(), checkpoint.model_type, file);
  set_training(network.model->module(), false);
  return network;
}

void Network::prepare_for_inference() {
  sectile::prepare_for_inference(
      model->module(), {.precision = scalar_type(precision_), .device = device, .format = network_format(device)});
}

void Network::build_model(bool load_weights_files) {
  // Called for every component right after it is built, including nested ones, so that weights and freezing work at any
  // depth. A checkpoint's weights are loaded later, and the files that training started from are not read again.
  context.after_build = [this, load_weights_files](const Component& component, void* made, const void* common) {
    const std::string kind = component.kind;
    const auto name = kind + " \"" + component.name + "\"";
    const auto load = [&](torch::nn::Module& module, const auto& options) {
      if (!load_weights_files || options.weights.empty()) return;
      const auto [state, averaged] = load_weights(options.weights);
      notes.push_back(start_from(module, state, {options.weights, name, options.weights_strict}) +
                      (averaged ? "; these are its moving average (EMA), which its metrics are of" : ""));
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

// Checks that need the model.
void Network::check_model() const {
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
      problems.push_back({"/metrics/" + std::to_string(i), "\"" + spec.metrics[i].type() + "\" needs " + lacking +
                                                               ", which " + name + " does not predict"});
  }
  if (!problems.empty()) throw SpecError(std::move(problems));
}

SampleSource Network::source(const std::string& split) const {
  const Ref<Dataset>* recipe = split == "train"  ? &spec.data.train
                               : split == "val"  ? &spec.data.val
                               : split == "test" ? &spec.data.test
                                                 : nullptr;
  if (!recipe) throw SpecError("split", "unknown split \"" + split + "\"; known: train, val, test");
  if (!*recipe) throw SpecError("/data/" + split, "is missing: the spec has no such split");
  BuildContext before_labels;
  before_labels.task = spec.task;
  std::vector<std::string> told;
  const auto data = build_data(*recipe, before_labels, told);
  if (data->size() == 0) throw DataError("/data/" + split, "has no samples");
  if (const auto found = data->labels().difference(*context.labels); !found.empty())
    throw DataError("/data/" + split, "has the classes " + data->labels().text() + ", and the network " +
                                          context.labels->text() + ": " + found);
  return {data, evaluation_transforms, static_cast<std::uint64_t>(spec.train.seed), spec.transforms.fuse, told};
}

Batch Network::placed(Batch batch) const {
  batch = to_device(std::move(batch), device);
  if (batch.images.dim() == 4) batch.images = batch.images.contiguous(network_format(device));
  if (spec.train.precision == PipelineSpec::Precision::fp64) batch.images = batch.images.to(at::kDouble);
  return batch;
}

Outputs Network::forward(const Batch& batch) const {
  const PrecisionScope scope(device, precision_);
  return model->forward(batch);
}

Outputs Network::infer(const Batch& batch, const std::vector<std::string>& named) const {
  const PrecisionScope scope(device, precision_);
  auto outputs = sectile::infer(*model, batch, spec.inference, named);
  if (outputs.logits.defined() && outputs.logits.scalar_type() != at::kDouble)
    outputs.logits = outputs.logits.to(at::kFloat);
  return outputs;
}

Batch Network::collate(std::vector<Sample> samples, bool for_training) const {
  auto how = collation_;
  how.training = for_training;
  const bool by_windows = window_size(how.traits, spec.inference, context.dimensions)[1] > 0;
  if (!for_training && by_windows) how.traits.least = {1, 1, 1};  // a window keeps its size
  return sectile::collate(std::move(samples), how);
}

std::vector<Prediction> Network::predict(Batch batch, const Wanted& wanted) const {
  batch = placed(std::move(batch));
  return model->decode(infer(batch, wanted.named), batch, wanted);
}

std::vector<std::shared_ptr<Metric>> Network::metrics() const {
  std::vector<std::shared_ptr<Metric>> made;
  for (const auto& recipe : spec.metrics) made.push_back(recipe.build(context));
  return made;
}

}  // namespace sectile
