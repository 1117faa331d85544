#include "check.h"

#include <optional>
#include <utility>

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
      pipeline.notes.insert(pipeline.notes.end(), source.notes.begin(), source.notes.end());
    });
}

void check_first_batch(Pipeline& pipeline) {
  RunState state(pipeline, nullptr);
  refuse_single_image(pipeline, state.plan);
  set_training(pipeline.model->module(), true);
  std::vector<Sample> samples;
  for (std::size_t i = 0; i < state.plan.size(0); ++i)
    samples.push_back(pipeline.prepare(state.plan.occasion(0, i)).sample);
  const auto batch = pipeline.placed(pipeline.collate(std::move(samples), /*training=*/true));
  pipeline.loss(first_outputs(pipeline, batch), batch);
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
  const auto check = [&](const std::string& pointer, const SampleSource& source, bool training) {
    for (std::size_t i = 0; i < source.data->size() && all.problems().size() < kMost; ++i)
      all.try_to(pointer, [&] {
        auto sample = source.prepare({.index = i});
        check_sample(sample, how);
        pipeline.collate({std::move(sample)}, training);
      });
  };
  if (pipeline.training.data) check("/data/train", pipeline.training, true);
  for (const auto& split : splits_without_train(pipeline)) {
    AllProblems reported;  // by check_training
    std::optional<SampleSource> source;
    if (!reported.try_to("", [&] { source = pipeline.source(name_of(split)); })) continue;
    source->channels = pipeline.training.channels;  // converted, as evaluation does
    check(split.pointer, *source, false);
  }
}

}  // namespace sectile
