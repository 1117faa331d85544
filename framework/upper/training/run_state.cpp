#include "run_state.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <ATen/Context.h>

#include <sectile/error.h>

#include "../../ground/component_call.h"
#include "../../ground/learning_rate.h"
#include "optimizer_state.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kResumedSince = 3;  // API versions from this one use the current keys of random numbers

TrainingPlan plan_of(const Pipeline& pipeline) {
  const auto& train = pipeline.spec.train;
  constexpr std::size_t kUsualEpochs = 10;
  TrainingPlan plan;
  plan.sampler = pipeline.spec.sampler.build(pipeline.context);
  plan.available = pipeline.training.data->size();
  const auto& wanted = pipeline.spec.sampler.common().samples;
  plan.samples = wanted ? static_cast<std::size_t>(*wanted) : call<PluginError>(place_of(plan.sampler), "", [&] {
    return plan.sampler->samples_per_epoch(plan.available);
  });
  if (plan.samples == 0) throw PluginError("/sampler", "gave an epoch without samples");
  plan.batch = std::min(plan.samples, static_cast<std::size_t>(train.batch_size));
  plan.accumulate = static_cast<std::size_t>(train.accumulate);
  plan.drop_last = train.drop_last;
  plan.whole_epochs = train.epochs ? static_cast<std::size_t>(*train.epochs) : kUsualEpochs;
  plan.stop_after = train.steps;
  plan.seed = pipeline.training.seed;
  return plan;
}

bool scales_losses(const Pipeline& pipeline) { return pipeline.spec.train.precision == PipelineSpec::Precision::fp16; }

}  // namespace

RunState::RunState(Pipeline& pipeline)
    : plan(plan_of(pipeline)),
      spec(resolved_text(pipeline.spec)),
      best_by(pipeline),
      optimizer(pipeline.spec.optimizer.build(pipeline.context)),
      schedule(pipeline.spec.schedule.build(pipeline.context)),
      groups(parameter_groups(pipeline.model->module(), pipeline.spec.optimizer.common())),
      pipeline_(pipeline) {
  if (!scales_losses(pipeline)) scaler.scale = 1;
  if (const auto& options = pipeline.spec.train.ema)
    ema.emplace(pipeline.model->module(), options->decay, options->warmup);
}

double RunState::lr() const {
  const double factor = call<PluginError>(place_of(schedule), "", [&] {
    return learning_rate_factor(*schedule, pipeline_.spec.schedule.common(), step, plan.steps(), plan.steps_per_epoch(),
                                record.evaluations);
  });
  if (!(factor >= 0 && std::isfinite(factor)))
    throw PluginError("/schedule", "gave the factor " + std::to_string(factor) + " of the learning rate at step " +
                                       std::to_string(step + 1) + ": expected a finite number, 0 or more");
  return pipeline_.spec.optimizer.common().lr * factor;
}

Checkpoint RunState::weights() const {
  Checkpoint checkpoint;
  checkpoint.spec = spec;
  checkpoint.model_type = pipeline_.spec.model.type();
  checkpoint.labels = *pipeline_.context.labels;
  checkpoint.channels = pipeline_.context.channels;
  checkpoint.dimensions = pipeline_.context.dimensions;
  checkpoint.epoch = step == 0 ? 0 : static_cast<std::int64_t>(plan.epoch_of(step - 1)) + 1;
  checkpoint.step = step;
  if (!record.evaluations.empty()) {
    checkpoint.metric_name = best_by.name();
    checkpoint.metric = record.evaluations.back();
  }
  checkpoint.model = state_dict(pipeline_.model->module());
  if (ema) checkpoint.ema = ema->state();
  return checkpoint;
}

void RunState::save_best(const fs::path& folder) const { save_checkpoint(folder / "best.pth", weights()); }

void RunState::save(const fs::path& folder) const {
  auto checkpoint = weights();
  auto& resumption = checkpoint.resumption.emplace(record);
  resumption.optimizer = optimizer_state(*optimizer, pipeline_.spec.optimizer, groups, lr());
  for (const auto& [name, generator] : generators()) resumption.rng[name] = generator.get_state();
  resumption.loss_scale = scaler.scale;
  resumption.growth_tracker = scaler.growth_tracker;
  save_checkpoint(folder / "last.pth", checkpoint);
  if (pipeline_.spec.train.keep > 0) keep_last(folder);
}

// Keeps last.pth under another name, without copying its bytes if the file system supports that.
void RunState::keep_last(const fs::path& folder) const {
  char name[32];
  std::snprintf(name, sizeof name, "step-%06lld.pth", static_cast<long long>(step));
  std::error_code failed;
  fs::remove(folder / name, failed);
  fs::create_hard_link(folder / "last.pth", folder / name, failed);
  if (failed && !fs::copy_file(folder / "last.pth", folder / name, failed))
    throw DataError(folder / name, "cannot be written: " + failed.message());
  const auto saves = kept_saves(folder);
  for (std::size_t i = 0; i + static_cast<std::size_t>(pipeline_.spec.train.keep) < saves.size(); ++i)
    fs::remove(saves[i], failed);
}

void RunState::resume(const fs::path& file) {
  const auto checkpoint = load_checkpoint(file);
  if (!checkpoint.resumption)
    throw DataError(file, "contains only weights and cannot be resumed; use last.pth or step-*.pth");
  if (checkpoint.resumption->api < kResumedSince)
    throw DataError(file,
                    "was saved by a version of Sectile with API " + std::to_string(checkpoint.resumption->api) +
                        ", which uses random numbers differently from this version (API " +
                        std::to_string(SECTILE_API_VERSION) +
                        "): finish the run with that version, or start a new one from its weights (/model/weights)");
  refuse_other_spec(checkpoint, file);
  load_into(pipeline_.model->module(), checkpoint.model, checkpoint.model_type, file);
  record = *checkpoint.resumption;
  load_optimizer_state(*optimizer, record.optimizer, file);
  record.optimizer = {};
  if (ema) ema->load(checkpoint.ema);
  for (auto& [name, generator] : generators())
    if (const auto found = record.rng.find(name); found != record.rng.end()) generator.set_state(found->second);
  if (scales_losses(pipeline_)) scaler = {record.loss_scale, record.growth_tracker};
  step = checkpoint.step;
}

void RunState::refuse_other_spec(const Checkpoint& checkpoint, const fs::path& file) const {
  std::vector<Problem> problems;
  for (const auto& pointer : training_differences(spec, checkpoint.spec))
    problems.push_back(
        {pointer, "is not what " + file.string() +
                      " was trained with; a run can only be resumed with the same spec. Restore it, or start a new "
                      "run (to use its weights: /model/weights)"});
  if (!problems.empty()) throw SpecError(std::move(problems));
}

std::map<std::string, at::Generator> RunState::generators() const {
  std::map<std::string, at::Generator> all{{"cpu", at::globalContext().defaultGenerator(at::kCPU)}};
  if (pipeline_.device.is_cuda()) all.emplace("cuda", at::globalContext().defaultGenerator(pipeline_.device));
  return all;
}

std::vector<fs::path> kept_saves(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".pth") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace sectile
