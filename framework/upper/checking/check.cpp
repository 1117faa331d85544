#include "check.h"

#include <cmath>
#include <optional>
#include <utility>

#include "../inference/evaluation.h"
#include "../loading/evaluation_notes.h"
#include "../loading/sample_check.h"
#include "../training/best_by.h"
#include "../training/first_batch.h"
#include "../training/run_state.h"
#include "../weights/weights.h"

namespace sectile {
namespace {

struct Split {
  const char* pointer;
  const Ref<Dataset>* recipe;
};

std::vector<Split> splits_without_train(const Pipeline& pipeline) {
  std::vector<Split> splits;
  if (pipeline.spec.data.val) splits.push_back({"/data/val", &pipeline.spec.data.val});
  if (pipeline.spec.data.test) splits.push_back({"/data/test", &pipeline.spec.data.test});
  return splits;
}

std::string name_of(const Split& split) { return std::string(split.pointer).substr(std::string("/data/").size()); }

void check_other_data(Pipeline& pipeline, AllProblems& all) {
  for (const auto& split : splits_without_train(pipeline))
    all.try_to(split.pointer, [&] {
      if (!pipeline.context.labels) {
        open_dataset(*split.recipe, pipeline.context, split.pointer, pipeline.notes);
        return;
      }
      const auto source = pipeline.source(name_of(split));
      if (!pipeline.training.data) return;
      if (pipeline.model) refuse_objects_without_masks(pipeline, source);
      const auto notes = evaluation_notes(*pipeline.training.data, pipeline.notes, source, split.pointer);
      pipeline.notes.insert(pipeline.notes.end(), notes.begin(), notes.end());
    });
}

void check_first_batch(Pipeline& pipeline) {
  RunState state(pipeline, nullptr);
  refuse_single_image(pipeline, state.plan);
  set_training(pipeline.model->module(), true);
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < state.plan.size(0); ++i) samples.push_back(pipeline.prepare(state.plan, 0, i).sample);
  const auto batch = pipeline.placed(pipeline.collate(std::move(samples), /*training=*/true));
  const auto [loss, terms] = pipeline.loss(first_outputs(pipeline, batch), batch);
  if (std::isfinite(loss.item<double>())) return;
  std::string values;
  for (const auto& term : terms) values += " " + term.name + " " + std::to_string(term.value.item<double>());
  throw SpecError("/loss", "is not finite (NaN or Inf) for the first batch:" + values + "; images: " + ids_of(batch));
}

void note_unused_classes(Pipeline& pipeline) {
  const auto& classes = pipeline.context.labels->classes;
  AllProblems reported;  // with their samples
  std::vector<std::int64_t> counts;
  if (!reported.try_to("", [&] { counts = pipeline.context.count_pixels(); })) return;
  for (std::size_t c = 0; c < counts.size(); ++c)
    if (counts[c] == 0) pipeline.notes.push_back("/data/train: no pixel has the class \"" + classes[c].name + "\"");
}

}  // namespace

void check_training(Pipeline& pipeline, AllProblems& all) {
  check_other_data(pipeline, all);
  const auto& spec = pipeline.spec;
  all.try_to("/schedule", [&] { refuse_without_evaluations(spec, *spec.schedule.build(pipeline.context)); });
  all.try_to("/optimizer", [&] { spec.optimizer.build(pipeline.context); });
  if (pipeline.model)
    all.try_to("/optimizer", [&] { parameter_groups(pipeline.model->module(), spec.optimizer.common()); });
  if (!pipeline.context.labels) return;
  all.try_to("/metrics", [&] { BestBy{pipeline}; });
  if (pipeline.training.data) all.try_to("/sampler", [&] { plan_of(pipeline); });
  if (all.none()) all.try_to("", [&] { check_first_batch(pipeline); });
}

void check_samples(Pipeline& pipeline, AllProblems& all) {
  if (!pipeline.model) return;
  constexpr std::size_t kMost = 100;  // problems
  const Collation how{.classes = pipeline.context.classes(),
                      .channels = pipeline.context.channels,
                      .dimensions = pipeline.context.dimensions};
  const bool skips = pipeline.spec.data.on_bad_sample == PipelineSpec::BadSample::skip;
  AllProblems skipped;
  AllProblems& bad = skips ? skipped : all;
  const auto check = [&](const std::string& pointer, const SampleSource& source, bool training) {
    for (std::size_t i = 0; i < source.data->size() && bad.problems().size() < kMost; ++i)
      bad.try_to(pointer, [&] {
        auto sample = source.prepare({.index = i});
        check_sample(sample, how);
        pipeline.collate({std::move(sample)}, training);
      });
  };
  if (pipeline.training.data) {
    check("/data/train", pipeline.training, true);
    note_unused_classes(pipeline);
  }
  for (const auto& split : splits_without_train(pipeline)) {
    AllProblems reported;  // by check_training
    std::optional<SampleSource> source;
    if (!reported.try_to("", [&] { source = pipeline.source(name_of(split)); })) continue;
    source->channels = pipeline.training.channels;  // converted, as evaluation does
    check(split.pointer, *source, false);
  }
  for (const auto& [pointer, message] : skipped.problems())
    pipeline.notes.push_back(pointer + ": this sample is skipped: " + message);
}

}  // namespace sectile
