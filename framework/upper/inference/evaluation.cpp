#include "evaluation.h"

#include <algorithm>
#include <chrono>

#include <c10/core/InferenceMode.h>

#include "../../ground/component_call.h"
#include "../loading/batch.h"
#include "../loading/cut_annotation.h"
#include "../loading/loader.h"
#include "../loading/sample_check.h"
#include "../reporting/numbered_names.h"
#include "predictor.h"

namespace sectile {
namespace {

struct Item {  // one image and its truth
  std::vector<Batch> batches;
  Truth truth;
  std::string bad;  // why it could not be read
};

// Sets models to evaluation mode, and restores the previous mode.
class EvaluationMode {
 public:
  explicit EvaluationMode(const Ensemble& ensemble) {
    for (const auto* network : ensemble.networks())
      if (auto& module = network->model->module(); is_training(module)) trained_.push_back(&module);
    for (auto* module : trained_) set_training(*module, false);
  }
  ~EvaluationMode() {
    for (auto* module : trained_) set_training(*module, true);
  }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  std::vector<torch::nn::Module*> trained_;
};

// The annotation that the prediction is compared with, apart from its tensor: from the file, or after the transforms.
Item item(const Ensemble& ensemble, const SampleSource& source, std::size_t index) {
  Item made;
  const auto& first = ensemble.first();
  const auto read = source.read(index);
  check_annotation(read, first.context.classes());
  const bool at_input = first.spec.evaluate_at == PipelineSpec::EvaluateAt::input;
  if (!at_input) made.truth.sample = read;
  made.batches = ensemble.prepare([&](const Network& network) {
    auto sample = transformed_for(network, source, index, read);
    if (at_input) {
      sample.geometry = {};
      sample.geometry.original = extent(sample.image);
      made.truth.sample = sample;
    }
    return sample;
  });
  made.truth.labels = labels_tensor(made.truth.sample);
  made.truth.targets = target_tensors(made.truth.sample);
  return made;
}

bool skips_bad(const Ensemble& ensemble) {
  return ensemble.first().spec.data.on_bad_sample == PipelineSpec::BadSample::skip;
}

Item item_or_reason(const Ensemble& ensemble, const SampleSource& source, std::size_t index) {
  Item made;
  made.bad = reason_to_skip(skips_bad(ensemble), [&] { made = item(ensemble, source, index); });
  return made;
}

Wanted wanted_by(const std::vector<std::shared_ptr<Metric>>& metrics, bool overlapping) {
  Wanted all;
  all.overlapping = overlapping;
  for (const auto& metric : metrics) {
    const auto one = call<PluginError>(place_of(metric), "", [&] { return metric->wanted(); });
    all.labels |= one.labels, all.scores |= one.scores;
    all.instances |= one.instances, all.masks |= one.masks, all.segments |= one.segments;
    for (const auto& name : one.named)
      if (std::find(all.named.begin(), all.named.end(), name) == all.named.end()) all.named.push_back(name);
  }
  return all;
}

}  // namespace

void check_report(const std::string& metric, const MetricReport& report, std::size_t classes) {
  const auto fail = [&](const std::string& reason) {
    throw PluginError("metric \"" + metric + "\"", "broke its contract: " + reason);
  };
  const auto check = [&](const std::string& table, const auto& cells, std::size_t rows, std::size_t columns) {
    if (cells.size() != rows)
      fail(table + " has " + std::to_string(cells.size()) + " rows, and " + std::to_string(rows) + " names of rows");
    for (std::size_t i = 0; i < rows; ++i)
      if (cells[i].size() != columns)
        fail("row " + std::to_string(i) + " of " + table + " has " + std::to_string(cells[i].size()) +
             " values, and there are " + std::to_string(columns) + " columns");
  };
  const auto distinct = [&](const std::string& what, std::vector<std::string> names) {
    std::sort(names.begin(), names.end());
    const auto twice = std::adjacent_find(names.begin(), names.end());
    if (twice != names.end()) fail(what + " \"" + *twice + "\" occurs twice");
  };
  if (report.values.empty()) fail("it returns no value");
  std::vector<std::string> values, tables;
  for (const auto& value : report.values) values.push_back(value.name);
  for (const auto& table : report.tables) tables.push_back(table.name);
  distinct("the value", values);
  distinct("the column", report.columns);
  distinct("the table", tables);
  if (!report.per_class.empty()) check("the table per class", report.per_class, classes, report.columns.size());
  for (const auto& table : report.tables) {
    check("table \"" + table.name + "\"", table.cells, table.rows.size(), table.columns.size());
    distinct("in table \"" + table.name + "\" the row", table.rows);
  }
}

std::vector<std::string> metric_names(const PipelineSpec& spec) {
  std::vector<std::string> types;
  for (const auto& metric : spec.metrics) types.push_back(metric.type());
  return numbered_names(types);
}

void refuse_objects_without_masks(const Network& network, const SampleSource& source) {
  constexpr std::size_t kSamples = 20;
  constexpr Parts kObjects{.image = false, .labels = false, .objects = true};
  const auto metrics = network.metrics();
  if (network.spec.data.on_bad_sample == PipelineSpec::BadSample::skip) return;
  if (std::none_of(metrics.begin(), metrics.end(), [](const auto& one) {
        return call<PluginError>(place_of(one), "", [&] { return one->wanted(); }).masks;
      }))
    return;
  for (std::size_t i = 0; i < std::min(kSamples, source.data->size()); ++i) {
    Sample sample;
    try {
      sample = source.data->read(i, kObjects);
    } catch (const DataError&) {  // which the evaluation reports
      continue;
    }
    for (const auto& object : sample.instances)
      if (object.mask.empty() && !object.box.empty())
        throw DataError(sample.id,
                        "has an object without a mask, and a metric of this spec compares masks; coco_ap with "
                        "\"iou_type\": \"bbox\" compares boxes");
  }
}

Evaluation evaluate(const Ensemble& ensemble, const SampleSource& source,
                    const std::function<void(std::size_t, std::size_t)>& progress,
                    const std::vector<EvaluationObserver*>& observers) {
  const c10::InferenceMode no_gradients;
  const auto start = std::chrono::steady_clock::now();
  const auto& network = ensemble.first();
  if (ensemble.networks().size() > 1 && network.spec.evaluate_at == PipelineSpec::EvaluateAt::input)
    throw SpecError("/evaluate_at", "is input, which differs between the networks of an ensemble: use original");
  if (network.spec.metrics.empty())
    throw SpecError("/metrics", "is missing: name at least one, such as {\"type\": \"iou\"}");
  const EvaluationMode mode(ensemble);
  const auto names = metric_names(network.spec);
  const auto metrics = network.metrics();
  const auto wanted = wanted_by(metrics, network.context.labels->overlapping);
  const auto count = source.data->size();
  Loader<Item, Item> loader(
      {[&] { return static_cast<std::int64_t>(count); }, [](std::int64_t) { return std::size_t{1}; },
       [&](std::int64_t index, std::size_t) {
         const c10::InferenceMode here;
         return item_or_reason(ensemble, source, static_cast<std::size_t>(index));
       },
       [](std::int64_t, std::vector<Item> parts) { return std::move(parts.front()); }},
      network.spec.train.workers);
  Evaluation result;
  const auto use = [&](Item one, std::size_t index) {
    if (one.truth.labels.defined()) one.truth.labels = one.truth.labels.to(network.device);
    for (auto& [name, target] : one.truth.targets) target = target.to(network.device);
    const auto unseen = Ensemble::cut_off(one.batches);
    if (unseen.defined() && one.truth.labels.defined())
      one.truth.labels = one.truth.labels.masked_fill(unseen.to(network.device), kIgnore);
    if (unseen.defined()) cut_annotation(unseen, one.truth.sample);
    result.cut_off += unseen.defined();
    const auto prediction = ensemble.predict(std::move(one.batches), wanted);
    for (const auto& metric : metrics)
      call<DataError>(place_of(metric), one.truth.sample.id, [&] { metric->update(prediction, one.truth); });
    for (auto* observer : observers) observer->image(index, prediction, one.truth);
  };
  for (std::size_t done = 0; done < count; ++done) {
    auto one = loader.next();
    if (one.bad.empty()) one.bad = reason_to_skip(skips_bad(ensemble), [&] { use(std::move(one), done); });
    if (!one.bad.empty()) result.bad_samples.push_back(one.bad);
    if (progress) progress(done + 1, count);
  }
  if (result.bad_samples.size() == count)
    throw DataError("the data to evaluate on",
                    "has no readable sample; the first error: " + result.bad_samples.front());
  result.images = count - result.bad_samples.size();
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    result.reports.emplace_back(names[i],
                                call<PluginError>(place_of(metrics[i]), "", [&] { return metrics[i]->compute(); }));
    check_report(result.reports.back().first, result.reports.back().second, network.context.labels->classes.size());
  }
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace sectile
