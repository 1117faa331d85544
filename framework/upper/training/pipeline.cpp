#include "pipeline.h"

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace sectile {
namespace {

// Adds the pixels per class of one sample to the counts.
void count_labels(const cv::Mat& labels, std::vector<std::int64_t>& counts) {
  if (labels.empty()) return;
  if (labels.type() == CV_16SC1) {
    for (auto it = labels.begin<std::int16_t>(); it != labels.end<std::int16_t>(); ++it)
      if (*it != kIgnore) ++counts.at(static_cast<std::size_t>(*it));
    return;
  }
  Sample holder;
  holder.labels = labels;
  const auto inside = (labels_tensor(holder) >= 0.5).flatten(1).sum(1);  // for each class separately
  for (std::size_t c = 0; c < counts.size(); ++c)
    counts[c] += inside[static_cast<std::int64_t>(c)].item<std::int64_t>();
}

// Counts once, at the first call.
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
  Pipeline pipeline(std::move(plan), device);
  auto& context = pipeline.context;
  const auto seed = static_cast<std::uint64_t>(pipeline.spec.train.seed);
  at::manual_seed(seed);
  const auto data = build_data(pipeline.spec.data.train, context, pipeline.notes);
  if (data->size() == 0) throw DataError("/data/train", "has no samples");
  context.labels = std::make_shared<LabelMap>(data->labels());
  context.data = data;
  context.count_pixels = counter_of(data, pipeline.spec.data.on_bad_sample == PipelineSpec::BadSample::skip);
  pipeline.training = {
      data, build_transforms(pipeline.spec.transforms.train, context), seed, pipeline.spec.transforms.fuse, {}};
  pipeline.evaluation_transforms = build_transforms(pipeline.spec.transforms.val, context);
  const auto first = pipeline.prepare({}).sample;
  context.channels = first.image.channels();
  context.dimensions = first.image.dims;
  pipeline.build_model(initial_weights);
  pipeline.build_losses(index);
  return pipeline;
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
  throw DataError("/data/train", "has no usable sample; the first error: " + prepared.bad.front());
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
