#include "pipeline.h"

#include <algorithm>
#include <functional>
#include <numeric>
#include <set>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/roles.h>
#include <sectile/transforms/nested.h>

#include "../../ground/component_call.h"
#include "../../ground/spec/dataset_identity.h"
#include "../loading/class_counter.h"
#include "../loading/sample_check.h"
#include "../reporting/numbered_names.h"

namespace sectile {
namespace {

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

Pipeline Pipeline::for_training(const PluginIndex& index, PipelineSpec plan, const at::Device& device,
                                bool initial_weights) {
  AllProblems all;
  auto pipeline = as_far_as_possible(index, std::move(plan), device, initial_weights, all);
  all.report();
  return pipeline;
}

Pipeline Pipeline::as_far_as_possible(const PluginIndex& index, PipelineSpec plan, const at::Device& device,
                                      bool initial_weights, AllProblems& all) {
  Pipeline pipeline(std::move(plan), device);
  pipeline.training.seed = static_cast<std::uint64_t>(pipeline.spec.train.seed);
  at::manual_seed(pipeline.training.seed);
  pipeline.open_data(all);
  if (!pipeline.context.labels) return pipeline;
  const bool prepares = all.try_to("/transforms/train", [&] {
    pipeline.training.transforms = build_all(pipeline.spec.transforms.train, pipeline.context);
  });
  all.try_to("/transforms/val", [&] { pipeline.build_evaluation_transforms(); });
  pipeline.refuse_targets_by_chance(all);
  const bool measured = pipeline.training.data && prepares && pipeline.measure_sample(all);
  // With other channels than those of the images, weights would not fit.
  if (initial_weights && !measured) all.try_to("/model/weights", [&] { pipeline.refuse_missing_weights(); });
  all.try_to("/model", [&] { pipeline.build_model(initial_weights && measured, all); });
  pipeline.collation_.soft_labels = effects_of(pipeline.training.transforms, "").soft_labels;
  if (initial_weights && pipeline.model && pipeline.has_published_weights()) pipeline.note_other_preprocessing();
  pipeline.build_losses(index, all);
  if (all.none()) pipeline.note_unread_targets();
  return pipeline;
}

void Pipeline::open_data(AllProblems& all) {
  training.fuse = spec.transforms.fuse;
  training.skip_bad = spec.data.on_bad_sample == PipelineSpec::BadSample::skip;
  all.try_to("/data/train", [&] { training.data = open_dataset(spec.data.train, context, "/data/train", notes); });
  if (training.data) {
    context.labels = std::make_shared<LabelMap>(training.data->labels());
    context.data = training.data;
    const ClassCounter counter(training.data, training.skip_bad,
                               CountCache::of_user(identity_of(spec.task, spec.data.train)));
    context.count_pixels = counter;
    context.list_classes = [counter] { return counter.classes_of_samples(); };
    all.try_to("/data/train", [&] { refuse_one_class("/data/train"); });
    return;
  }
  for (const auto* other : {&spec.data.val, &spec.data.test}) {
    if (!*other || context.labels) continue;
    AllProblems unreported;  // source() reports them
    unreported.try_to("", [&] {
      std::vector<std::string> untold;
      context.labels = std::make_shared<LabelMap>(open_dataset(*other, context, "", untold)->labels());
    });
  }
}

void Pipeline::refuse_missing_weights() const {
  const auto& file = spec.model.common().weights;
  if (!file.empty() && !std::filesystem::exists(file)) throw DataError(file, "is not there");
}

// Channels and dimensions of what the model will see.
bool Pipeline::measure_sample(AllProblems& all) {
  collation_.classes = context.classes();
  const bool measured = all.try_to("/data/train", [&] {
    const auto first = prepare({});
    training.channels = image_channels = training.read(first.bad.size()).image.channels();
    context.channels = first.sample.image.channels();
    context.dimensions = first.sample.image.dims;
    note_other_statistics(first);
  });
  return measured;
}

void Pipeline::refuse_targets_by_chance(AllProblems& all) const {
  for (const auto& [list, transforms] :
       {std::pair{"/transforms/train", &training.transforms}, {"/transforms/val", &evaluation_transforms}})
    for (const auto& target : effects_of(*transforms, list).targets)
      if (target.by_chance)
        all.try_to("", [&] {
          throw SpecError(
              target.place,
              "adds the target \"" + target.name +
                  "\" to some samples only, by chance, and others would be trained on zeros in its place, or "
                  "not at all; move it into the list itself");
        });
}

void Pipeline::note_unread_targets() {
  std::set<std::string> read;
  for (const auto& one : losses_) {
    read.insert(one.common.target);
    const auto* role = dynamic_cast<const ReadsTargets*>(one.loss.get());
    if (!role) continue;
    for (const auto& name : call<PluginError>(place_of(one.loss), "", [&] { return role->read_targets(); }))
      read.insert(name);
  }
  for (const auto& target : effects_of(training.transforms, "/transforms/train").targets)
    if (read.count(target.name) == 0)
      notes.push_back(target.place + ": adds the target \"" + target.name +
                      "\", which no loss reads; name it in the options of a loss, such as \"target\", or remove the "
                      "transform");
}

bool Pipeline::note_chance_of_normalizing() {
  auto places = effects_of(training.transforms, "/transforms/train").normalizing_by_chance;
  const auto later = effects_of(evaluation_transforms, "/transforms/val").normalizing_by_chance;
  places.insert(places.end(), later.begin(), later.end());
  for (const auto& place : places)
    notes.push_back(place +
                    ": normalizes images by chance, so the network gets some normalized and others not, or with other "
                    "values; put one \"normalize\" at the end of the list, where it is applied to all");
  return !places.empty();
}

// Images that are normalized in only one of the two lists are other images to the network.
void Pipeline::note_other_statistics(const Prepared& first) {
  const bool by_chance = note_chance_of_normalizing();
  const SampleSource evaluation{training.data, evaluation_transforms, training.seed, training.fuse, training.channels};
  AllProblems untold;
  Sample other;
  if (!untold.try_to("", [&] { other = evaluation.prepare({.index = first.bad.size()}); })) {
    notes.push_back("/transforms/val: fails on the first training image, as evaluation will on images like it: " +
                    untold.problems().front().message);
    return;
  }
  if (other.image.channels() != first.sample.image.channels())
    throw SpecError("/transforms/val", "makes images of " + std::to_string(other.image.channels()) +
                                           " channels, and \"train\" of " +
                                           std::to_string(first.sample.image.channels()) +
                                           ", which the network then expects: let both select the same channels");
  if (by_chance) return;  // what follows would depend on the seed
  const bool trained = !first.sample.mean.empty(), evaluated = !other.mean.empty();
  const auto measured = effects_of(training.transforms, ""), measured_later = effects_of(evaluation_transforms, "");
  const bool by_image = !measured.measures.empty() || !measured_later.measures.empty();
  const bool same = measured.measures == measured_later.measures && measured.clips == measured_later.clips &&
                    (by_image || (first.sample.mean == other.mean && first.sample.deviation == other.deviation));
  if (trained && evaluated && !same)
    notes.emplace_back(
        "/transforms: \"train\" and \"val\" normalize images with other values, so the network is trained on other "
        "values than it is evaluated and used on; use the same \"normalize\" in both lists");
  if (trained != evaluated)
    notes.push_back(std::string("/transforms: images are normalized in ") + (trained ? "\"train\"" : "\"val\"") +
                    " only, so the network is trained on other values than it is evaluated and used on; add the same "
                    "\"normalize\" to the other list");
}

void Pipeline::build_losses(const PluginIndex& index, AllProblems& all) {
  auto recipes = spec.loss;
  if (recipes.empty() && model)
    all.try_to("/loss", [&] {
      const auto own = model->traits().loss;
      if (own.empty())
        throw SpecError("/loss", "name at least one, such as {\"type\": \"cross_entropy\"}: model \"" +
                                     spec.model.type() + "\" has none of its own");
      recipes = loss_by_name(index, own);
    });
  std::vector<std::string> names;
  for (const auto& recipe : recipes) {
    const auto& output = recipe.common().output;
    names.push_back((output.empty() ? "" : output + "/") + recipe.type());
  }
  names = numbered_names(names);
  for (std::size_t i = 0; i < recipes.size(); ++i) {
    const auto pointer = "/loss/" + std::to_string(i);
    all.try_to(pointer, [&] {
      losses_.push_back(
          {.loss = recipes[i].build(context), .common = recipes[i].common(), .name = names[i], .pointer = pointer});
    });
  }
}

Prepared Pipeline::prepare(const Occasion& when) const {
  return first_usable(training.data->size(), [&](std::size_t tries) {
    auto next = when;
    next.index = (when.index + tries) % training.data->size();
    return next;
  });
}

Prepared Pipeline::prepare(const TrainingPlan& plan, std::int64_t batch_number, std::size_t part) const {
  // A sampler that draws at random may give damaged samples alone for an epoch.
  constexpr std::size_t kEpochs = 20;
  return first_usable(kEpochs * plan.samples,
                      [&](std::size_t tries) { return plan.occasion(batch_number, part, tries); });
}

Prepared Pipeline::first_usable(std::size_t most, const std::function<Occasion(std::size_t)>& occasion) const {
  auto how = collation_;
  how.training = true;
  const auto prepared_at = [&](const Occasion& then) {
    auto sample = training.prepare(then);
    check_sample(sample, how);
    refuse_size(sample, how);
    return sample;
  };
  Prepared prepared;
  std::set<std::size_t> tried;
  for (std::size_t tries = 0; tries < most && tried.size() < training.data->size(); ++tries) {
    const auto then = occasion(tries);
    if (!tried.insert(then.index).second) continue;
    auto reason = reason_to_skip(training.skip_bad, [&] { prepared.sample = prepared_at(then); });
    if (reason.empty()) return prepared;
    prepared.bad.push_back(std::move(reason));
  }
  throw DataError("/data/train", "has no usable sample; the first error: " + prepared.bad.front());
}

// What DenseLoss refuses, with the loss's place in the spec, which it does not know.
LossTerms Pipeline::terms_of(const WeighedLoss& one, const Outputs& from, const Batch& truth) const {
  try {
    return (*one.loss)(from, truth);
  } catch (const PluginError& error) {
    const std::string unplaced = "loss: ", reason = error.what();
    if (!reason.starts_with(unplaced)) throw;
    const bool made_soft = collation_.soft_labels && from.logits.defined() && truth.labels.defined();
    throw PluginError(one.pointer, "loss \"" + one.name + "\" " + reason.substr(unplaced.size()) +
                                       (made_soft ? "; or remove the transform that makes them, such as mixup" : ""));
  }
}

void Pipeline::check_terms(const WeighedLoss& one, const LossTerms& terms, bool wants_gradient) {
  const auto fail = [&](const std::string& reason) {
    throw PluginError(one.pointer, "loss \"" + one.name + "\" " + reason);
  };
  if (terms.empty()) fail("returned no term");
  std::set<std::string> names;
  for (const auto& [name, value] : terms) {
    const auto term = name.empty() ? std::string("its value") : "its term \"" + name + "\"";
    if (!names.insert(name).second) fail("returned " + term + " twice: give each term its own name");
    if (!value.defined()) fail("returned an undefined tensor as " + term);
    if (value.dim() != 0 || !value.is_floating_point())
      fail("returned a tensor of " + std::to_string(value.dim()) + " dimensions as " + term +
           ": expected a floating point scalar, such as a mean");
  }
  const bool has_gradient =
      std::any_of(terms.begin(), terms.end(), [](const LossTerm& term) { return term.value.requires_grad(); });
  if (wants_gradient && one.common.weight > 0 && !has_gradient)
    fail("returned values without a gradient: compute them from the outputs, without item() and detach()");
}

double Pipeline::counted(const WeighedLoss& one, const Batch& batch) {
  const auto* mean = dynamic_cast<const MeanLoss*>(one.loss.get());
  const auto target = batch.targets.find(one.common.target);
  const auto& truth = one.common.target.empty() || target == batch.targets.end() ? batch.labels : target->second;
  if (!mean || !truth.defined()) return static_cast<double>(batch.truth.size());
  return call<PluginError>(place_of(one.loss), ids_of(batch), [&] { return mean->counted(truth); });
}

std::vector<std::vector<double>> Pipeline::shares(const std::vector<Batch>& batches) const {
  const auto count = static_cast<double>(batches.size());
  std::vector<std::vector<double>> all(batches.size(), std::vector<double>(losses_.size(), 1 / count));
  if (batches.size() == 1) return all;
  for (std::size_t l = 0; l < losses_.size(); ++l) {
    std::vector<double> counts;
    for (const auto& batch : batches) counts.push_back(counted(losses_[l], batch));
    const double total = std::accumulate(counts.begin(), counts.end(), 0.0);
    for (std::size_t b = 0; b < batches.size() && total > 0; ++b) all[b][l] = counts[b] / total;
  }
  return all;
}

std::pair<at::Tensor, std::vector<Pipeline::NamedTerm>> Pipeline::loss(const Outputs& outputs, const Batch& batch,
                                                                       const std::vector<double>& shares) const {
  at::Tensor sum;
  std::vector<NamedTerm> terms;
  const auto add = [&](const WeighedLoss& one, const Outputs& from, const Batch& truth, double weight,
                       const std::string& prefix) {
    const double share = shares.empty() ? 1 : shares[static_cast<std::size_t>(&one - losses_.data())];
    auto parts = call<PluginError>(
        place_of(one.loss), ids_of(batch), [&] { return terms_of(one, from, truth); }, kBatchHint);
    check_terms(one, parts, from.logits.defined() && from.logits.requires_grad());
    for (const auto& term : parts) {
      const auto value = term.value * (weight * share);
      sum = sum.defined() ? sum + value : value;
      terms.push_back({prefix + one.name + (term.name.empty() ? "" : "/" + term.name), term.value.detach(), share});
    }
  };
  for (const auto& one : losses_) {
    const auto& [weight, auxiliary, output, target] = one.common;
    const auto count = outputs.auxiliary.size();
    if (!auxiliary.empty() && count == 0)
      throw SpecError(one.pointer + "/auxiliary", "weighs auxiliary outputs, and model \"" + spec.model.type() +
                                                      "\" gives none: remove it, or let the model give some");
    if (auxiliary.size() > 1 && auxiliary.size() != count)
      throw SpecError(one.pointer + "/auxiliary", "has " + std::to_string(auxiliary.size()) + " weights, and model \"" +
                                                      spec.model.type() + "\" gives " + std::to_string(count) +
                                                      " auxiliary outputs: give one for each, or one for all");
    if (!output.empty() && !outputs.named.count(output))
      throw SpecError(one.pointer + "/output", "model \"" + spec.model.type() + "\" has no output \"" + output +
                                                   "\"; it has: " + names_of(outputs.named));
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

}  // namespace sectile
