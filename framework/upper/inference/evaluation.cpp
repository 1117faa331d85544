#include "evaluation.h"

#include <algorithm>
#include <chrono>

#include <c10/core/InferenceMode.h>

#include "../loading/batch.h"
#include "../loading/loader.h"
#include "device.h"

namespace sectile {
namespace {

struct Exam {  // one picture and its truth
  Batch batch;
  Truth truth;
  std::string bad;  // why there is none
};

// The model in its evaluation mode, and back again.
class EvaluationMode {
 public:
  explicit EvaluationMode(torch::nn::Module& module) : module_(module), was_training_(is_training(module)) {
    set_training(module_, false);
  }
  ~EvaluationMode() { set_training(module_, was_training_); }
  EvaluationMode(const EvaluationMode&) = delete;
  EvaluationMode& operator=(const EvaluationMode&) = delete;

 private:
  torch::nn::Module& module_;
  const bool was_training_;
};

// What is compared with the prediction, apart from its tensor: the file's own annotation, or what the transforms made
// of it.
Exam exam(const Pipeline& pipeline, const SampleSource& source, std::size_t index) {
  Exam made;
  auto sample = source.read(index);
  const bool at_input = pipeline.spec.evaluate_at == PipelineSpec::EvaluateAt::input;
  if (!at_input) {
    made.truth.sample = sample;
    made.truth.sample.labels = sample.labels.clone();  // a transform may write in place
  }
  sample = source.transformed(std::move(sample), {.index = index, .batch = static_cast<std::int64_t>(index)});
  if (at_input) {
    sample.geometry = {};
    sample.geometry.original = extent(sample.image);
    made.truth.sample = sample;
  }
  made.truth.labels = labels_tensor(made.truth.sample);
  made.truth.targets = target_tensors(made.truth.sample);
  std::vector<Sample> one{std::move(sample)};
  made.batch = pipeline.collate(std::move(one));
  return made;
}

Exam exam_or_reason(const Pipeline& pipeline, const SampleSource& source, std::size_t index) {
  if (pipeline.spec.data.on_bad_sample == PipelineSpec::BadSample::stop) return exam(pipeline, source, index);
  try {
    return exam(pipeline, source, index);
  } catch (const DataError& error) {
    Exam none;
    none.bad = error.what();
    return none;
  }
}

}  // namespace

Evaluation evaluate(const Pipeline& pipeline, const SampleSource& source,
                    const std::function<void(std::size_t, std::size_t)>& progress) {
  const c10::InferenceMode no_gradients;
  const auto start = std::chrono::steady_clock::now();
  const EvaluationMode mode(pipeline.model->module());
  const auto metrics = pipeline.metrics();
  Wanted wanted;
  wanted.overlapping = pipeline.context.labels->overlapping;
  for (const auto& metric : metrics) {
    const auto theirs = metric->wanted();
    wanted.labels |= theirs.labels, wanted.scores |= theirs.scores;
    wanted.instances |= theirs.instances, wanted.segments |= theirs.segments;
    for (const auto& name : theirs.named)
      if (std::find(wanted.named.begin(), wanted.named.end(), name) == wanted.named.end()) wanted.named.push_back(name);
  }
  const auto count = source.data->size();
  Loader<Exam, Exam> loader(
      {[&] { return static_cast<std::int64_t>(count); }, [](std::int64_t) { return std::size_t{1}; },
       [&](std::int64_t index, std::size_t) {
         const c10::InferenceMode here;
         return exam_or_reason(pipeline, source, static_cast<std::size_t>(index));
       },
       [](std::int64_t, std::vector<Exam> parts) { return std::move(parts.front()); }},
      pipeline.spec.train.workers);
  Evaluation result;
  for (std::size_t done = 0; done < count; ++done) {
    auto one = loader.next();
    if (!one.bad.empty()) {
      result.bad_samples.push_back(one.bad);
      continue;
    }
    one.batch = pipeline.placed(std::move(one.batch));
    if (one.truth.labels.defined()) one.truth.labels = one.truth.labels.to(pipeline.device);
    for (auto& [name, target] : one.truth.targets) target = target.to(pipeline.device);
    const auto predictions = pipeline.model->decode(pipeline.infer(one.batch, wanted.named), one.batch, wanted);
    for (const auto& metric : metrics) metric->update(predictions.at(0), one.truth);
    if (progress) progress(done + 1, count);
  }
  if (result.bad_samples.size() == count)
    throw DataError("the data to evaluate on",
                    "has no sample that can be read; the first: " + result.bad_samples.front());
  result.pictures = count - result.bad_samples.size();
  for (std::size_t i = 0; i < metrics.size(); ++i)
    result.reports.emplace_back(pipeline.spec.metrics[i].type(), metrics[i]->compute());
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return result;
}

}  // namespace sectile
