#include "run_state.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <c10/core/GradMode.h>

#include <sectile/error.h>

#include "../../ground/component_call.h"
#include "../../ground/learning_rate.h"
#include "optimizer_state.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostDifferences = 20;        // that are listed
constexpr const char* kFirstEpoch = "first_epoch";  // beside the splits
constexpr std::int64_t kResumedSince = 3;           // API versions from this one use the current keys of random numbers

// 64-bit FNV-1a (http://www.isthe.com/chongo/tech/comp/fnv/) of texts, each ended by a zero.
class Fnv {
 public:
  void add(const std::string& text) {
    for (const char c : text) add_byte(static_cast<unsigned char>(c));
    add_byte(0);
  }
  std::string text() const {
    char text[17];
    std::snprintf(text, sizeof text, "%016llx", static_cast<unsigned long long>(hash_));
    return text;
  }

 private:
  void add_byte(unsigned char byte) { hash_ = (hash_ ^ byte) * 0x100000001b3; }
  std::uint64_t hash_ = 0xcbf29ce484222325;
};

DataIdentity identity_of(const Dataset& data) {
  Fnv hash;
  for (std::size_t i = 0; i < data.size(); ++i) {
    std::string id;
    try {
      id = data.id_of(i);
    } catch (...) {  // reading the sample will report it
    }
    hash.add(id);
  }
  return {static_cast<std::int64_t>(data.size()), hash.text()};
}

// Of the samples of the first epoch, in order: of a sampler, with the files that it reads and the classes that it
// finds.
DataIdentity identity_of(const TrainingPlan::Epoch& epoch) {
  Fnv hash;
  for (const auto& [index, occurrence] : epoch) hash.add(std::to_string(index));
  return {static_cast<std::int64_t>(epoch.size()), hash.text()};
}

// By which masks tell the classes.
bool same_codes(const LabelMap& a, const LabelMap& b) {
  return std::equal(a.classes.begin(), a.classes.end(), b.classes.begin(), b.classes.end(),
                    [](const LabelClass& one, const LabelClass& other) {
                      return one.category_id == other.category_id && one.color == other.color;
                    });
}

bool scales_losses(const Pipeline& pipeline) { return pipeline.spec.train.precision == PipelineSpec::Precision::fp16; }

}  // namespace

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

RunState::RunState(Pipeline& pipeline, const Dataset* validation)
    : plan(plan_of(pipeline)),
      spec(resolved_text(pipeline.spec)),
      best_by(pipeline),
      optimizer(pipeline.spec.optimizer.build(pipeline.context)),
      schedule(pipeline.spec.schedule.build(pipeline.context)),
      groups(parameter_groups(pipeline.model->module(), pipeline.spec.optimizer.common())),
      pipeline_(pipeline),
      buffers_(pipeline.model->module().buffers()) {
  if (!scales_losses(pipeline)) scaler.scale = 1;
  record.data["train"] = identity_of(*pipeline.training.data);
  if (validation) record.data["val"] = identity_of(*validation);
  record.data[kFirstEpoch] = identity_of(plan.draw(0));
  if (const auto& options = pipeline.spec.train.ema)
    ema.emplace(pipeline.model->module(), options->decay, options->warmup);
}

double RunState::lr() const {
  const double factor = call<PluginError>(place_of(schedule), "", [&] {
    return learning_rate_factor(*schedule, pipeline_.spec.schedule.common(), step, plan.steps(), plan.steps_per_epoch(),
                                record.evaluations, best_by.higher_is_better());
  });
  if (!(factor >= 0 && std::isfinite(factor)))
    throw PluginError("/schedule", "gave the factor " + std::to_string(factor) + " of the learning rate at step " +
                                       std::to_string(step + 1) + ": expected a finite number, 0 or more");
  return pipeline_.spec.optimizer.common().lr * factor;
}

Checkpoint RunState::weights() const {
  auto checkpoint = pipeline_.checkpoint(spec);
  checkpoint.epoch = step == 0 ? 0 : static_cast<std::int64_t>(plan.epoch_of(step - 1)) + 1;
  checkpoint.step = step;
  if (!record.evaluations.empty()) {
    checkpoint.metric_name = best_by.name();
    checkpoint.metric = record.evaluations.back();
  }
  if (ema) checkpoint.ema = ema->state();
  return checkpoint;
}

bool RunState::has_finite_weights() const {
  return all_finite(state_dict(pipeline_.model->module())) && (!ema || all_finite(ema->state()));
}

void RunState::save_best(const RunFolder& folder) const { save_checkpoint(folder.best(), weights()); }

void RunState::save(RunFolder& folder, bool as_planned) const {
  auto checkpoint = weights();
  auto& resumption = checkpoint.resumption.emplace(record);
  resumption.optimizer = call<PluginError>(
      place_of(optimizer), "", [&] { return optimizer_state(*optimizer, pipeline_.spec.optimizer, groups, lr()); });
  for (const auto& [name, generator] : generators()) resumption.rng[name] = generator.get_state();
  resumption.loss_scale = scaler.scale;
  resumption.growth_tracker = scaler.growth_tracker;
  // step-*.pth first: last.pth tells where a run goes on, and step-*.pth of an earlier step is never written again. Not
  // a link to it: who copies another file over last.pth would change both.
  const int keep = pipeline_.spec.train.keep;
  if (keep > 0) save_checkpoint(folder.save_of(step), checkpoint);
  save_checkpoint(folder.last(), checkpoint);
  folder.saved(as_planned);
  if (keep > 0) folder.keep(keep, step);
}

void RunState::mark() {
  marked_buffers_.resize(buffers_.size());
  for (std::size_t i = 0; i < buffers_.size(); ++i)
    if (marked_buffers_[i].defined())
      marked_buffers_[i].copy_(buffers_[i]);
    else
      marked_buffers_[i] = buffers_[i].clone();
  for (const auto& [name, generator] : generators()) marked_rng_[name] = generator.get_state();
}

void RunState::rewind() {
  const c10::AutoGradMode no_gradients(false);
  for (std::size_t i = 0; i < buffers_.size(); ++i) buffers_[i].copy_(marked_buffers_[i]);
  for (auto& [name, generator] : generators()) generator.set_state(marked_rng_.at(name));
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
  refuse_other_run(checkpoint, file);
  if (checkpoint.step > plan.steps())
    throw DataError(file, "is of step " + std::to_string(checkpoint.step) + ", and this run has " +
                              std::to_string(plan.steps()) + " steps");
  load_into(pipeline_.model->module(), checkpoint.model, checkpoint.model_type, file);
  auto data = std::move(record.data);
  record = *checkpoint.resumption;
  record.data = std::move(data);
  load_optimizer_state(*optimizer, record.optimizer, file);
  record.optimizer = {};
  if (ema) ema->load(checkpoint.ema);
  for (auto& [name, generator] : generators())
    if (const auto found = record.rng.find(name); found != record.rng.end())
      call<DataError>({}, file.string() + ": \"rng\"", [&, &state = generator] { state.set_state(found->second); });
  if (scales_losses(pipeline_)) scaler = {record.loss_scale, record.growth_tracker};
  step = checkpoint.step;
}

void RunState::refuse_other_run(const Checkpoint& checkpoint, const fs::path& file) const {
  auto problems = other_data(checkpoint, file);
  const auto different = training_differences(pipeline_.spec, checkpoint.spec, file);
  for (std::size_t i = 0; i < different.size(); ++i) {
    if (i == kMostDifferences) {
      problems.push_back({"", "and " + std::to_string(different.size() - kMostDifferences) + " more differ"});
      break;
    }
    const auto& pointer = different[i];
    problems.push_back(
        {pointer, "is not what " + file.string() +
                      " was trained with; a run can only be resumed with the same spec. Restore it, or start a new "
                      "run (to use its weights: /model/weights)"});
  }
  if (problems.empty() && draws_others(checkpoint))
    problems.push_back({"/sampler", "draws other samples than when " + file.string() +
                                        " was trained: a file that it reads, or the classes of the samples, changed. "
                                        "Restore them, or start a new run (to use its weights: /model/weights)"});
  if (!problems.empty()) throw SpecError(std::move(problems));
}

bool RunState::draws_others(const Checkpoint& checkpoint) const {
  const auto& before = checkpoint.resumption->data;
  const auto was = before.find(kFirstEpoch);  // older versions did not save it
  return was != before.end() && was->second != record.data.at(kFirstEpoch);
}

// What the spec's files define, compared by content: they may have moved.
std::vector<Problem> RunState::other_data(const Checkpoint& checkpoint, const fs::path& file) const {
  std::vector<Problem> problems;
  const auto differs = [&](const std::string& pointer, const std::string& what) {
    problems.push_back({pointer, what +
                                     "; a run can only be resumed with the same data. Restore it, or start a new run "
                                     "(to use its weights: /model/weights)"});
  };
  const auto& context = pipeline_.context;
  if (const auto other = context.labels->difference(checkpoint.labels); !other.empty())
    differs("/data/train", "has other classes than those of " + file.string() + ": " + other);
  else if (!same_codes(*context.labels, checkpoint.labels))
    differs("/data/train", "gives classes other values or colors than those of " + file.string());
  if (pipeline_.image_channels != checkpoint.image_channels)
    differs("/data/train", "has images of " + std::to_string(pipeline_.image_channels) + " channels, and " +
                               file.string() + " was trained with " + std::to_string(checkpoint.image_channels));
  for (const auto& [split, was] : checkpoint.resumption->data) {
    const auto is = record.data.find(split);
    if (is == record.data.end() || is->second == was || split == kFirstEpoch) continue;
    const auto now = is->second.samples;
    differs("/data/" + split, now == was.samples ? "has other samples, or another order of samples, than those that " +
                                                       file.string() + " was trained with"
                                                 : "has " + std::to_string(now) + " samples, and " + file.string() +
                                                       " was trained with " + std::to_string(was.samples));
  }
  return problems;
}

std::map<std::string, at::Generator> RunState::generators() const {
  std::map<std::string, at::Generator> all{{"cpu", at::globalContext().defaultGenerator(at::kCPU)}};
  if (pipeline_.device.is_cuda()) all.emplace("cuda", at::globalContext().defaultGenerator(pipeline_.device));
  return all;
}

}  // namespace sectile
