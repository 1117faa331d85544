#include "trainer.h"

#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <limits>
#include <set>

#include <ATen/Context.h>
#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <sectile/optimizer.h>
#include <sectile/schedule.h>

#include "../../ground/learning_rate.h"
#include "../inference/device.h"
#include "../loading/loader.h"
#include "../reporting/event_log.h"
#include "../weights/ema.h"
#include "gradients.h"

#include "optimizer_state.h"
#include "plan.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Precision = PipelineSpec::Precision;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

void write_text(const fs::path& file, const std::string& text) {
  auto beside = file;
  beside += ".part";
  std::ofstream out(beside, std::ios::binary);
  out << text << "\n";
  out.close();
  std::error_code failed;
  if (out) fs::rename(beside, file, failed);
  if (!out || failed) throw DataError(file, "cannot be written" + (failed ? ": " + failed.message() : std::string()));
}

void want_determinism() {
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  auto& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);
  context.setDeterministicCuDNN(true);
}

TrainingPlan plan_of(const Pipeline& pipeline) {
  const auto& train = pipeline.spec.train;
  TrainingPlan plan;
  plan.samples = pipeline.training.data->size();
  plan.batch = std::min(plan.samples, static_cast<std::size_t>(train.batch_size));
  plan.accumulate = static_cast<std::size_t>(train.accumulate);
  plan.drop_last = train.drop_last;
  plan.epochs = static_cast<std::size_t>(train.epochs);
  plan.seed = pipeline.training.seed;
  return plan;
}

// One value of one metric, by "iou/mIoU"; by nothing the very first.
class BestBy {
 public:
  explicit BestBy(const Pipeline& pipeline)
      : name_(pipeline.spec.train.best_metric), largest_(pipeline.spec.train.best_is == PipelineSpec::Best::max) {
    std::string known;
    std::size_t i = 0;
    for (const auto& metric : pipeline.metrics()) {
      const auto& type = pipeline.spec.metrics[i++].type();
      for (const auto& value : metric->compute().values) {
        const auto full = type + "/" + value.name;
        if (name_.empty()) name_ = full;
        if (name_ == full) return;
        known += (known.empty() ? "" : ", ") + full;
      }
    }
    throw SpecError("/train/best_metric", "no metric of this spec gives \"" + name_ + "\"; there are: " + known);
  }

  const std::string& name() const { return name_; }
  double value(const Evaluation& evaluation) const {
    for (const auto& [type, report] : evaluation.reports)
      for (const auto& value : report.values)
        if (type + "/" + value.name == name_) return value.value;
    return std::numeric_limits<double>::quiet_NaN();
  }
  bool better(double value, std::optional<double> than, double by = 0) const {
    if (!std::isfinite(value)) return false;
    return !than || (largest_ ? value > *than + by : value < *than - by);
  }

 private:
  std::string name_;
  const bool largest_;
};

// Thrown out of an evaluation that is not waited for.
struct Interrupted {};

class Run {
 public:
  Run(Pipeline& pipeline, const fs::path& folder, const TrainListener& listener, const std::optional<fs::path>& from)
      : pipeline_(pipeline),
        options_(pipeline.spec.train),
        folder_(folder),
        listener_(listener),
        plan_(plan_of(pipeline)),
        resolved_(resolved_text(pipeline.spec)),
        best_by_(pipeline),
        optimizer_(pipeline.spec.optimizer.build(pipeline.context)),
        schedule_(pipeline.spec.schedule.build(pipeline.context)),
        groups_(parameter_groups(pipeline.model->module(), pipeline.spec.optimizer.common())) {
    if (options_.deterministic) want_determinism();
    if (options_.precision != Precision::fp16) scaler_.scale = 1;
    if (options_.ema) ema_.emplace(pipeline.model->module(), options_.ema->decay, options_.ema->warmup);
    if (pipeline.spec.data.val) validation_ = pipeline.source("val");
    refuse_without_evaluations();
    if (from) resume(*from);
    if (from)
      log_ = std::make_unique<EventLog>(folder / "log.jsonl", step_);
    else
      log_ = std::make_unique<EventLog>(folder / "log.jsonl");
    write_text(folder / "spec.json", resolved_);
  }

  TrainResult all() {
    set_training(pipeline_.model->module(), true);
    const auto ending = run();
    result_.ending = ending;
    result_.step = step_;
    result_.best = state_.best;
    result_.best_epoch = state_.best_epoch;
    result_.bad_samples.insert(result_.bad_samples.end(), state_.bad_samples.begin(), state_.bad_samples.end());
    return std::move(result_);
  }

 private:
  struct Loaded {
    Batch batch;
    std::vector<std::string> bad;
  };
  using BatchLoader = Loader<Prepared, Loaded>;

  BatchLoader::Work work() const {
    const auto first = plan_.first_batch(step_);
    return {[this, first] { return plan_.total_batches() - first; },
            [this, first](std::int64_t number) { return plan_.size(first + number); },
            [this, first](std::int64_t number, std::size_t part) {
              return pipeline_.prepare(plan_.epoch_of_batch(first + number), plan_.index(first + number, part));
            },
            [this](std::int64_t, std::vector<Prepared> prepared) {
              Loaded loaded;
              std::vector<Sample> samples;
              for (auto& one : prepared) {
                samples.push_back(std::move(one.sample));
                for (auto& reason : one.bad) loaded.bad.push_back(std::move(reason));
              }
              loaded.batch = pipeline_.collate(std::move(samples));
              return loaded;
            }};
  }

  Ending run() {
    if (state_.evaluation_due && !evaluated()) return Ending::interrupted;
    if (stopped_early()) return Ending::early;
    BatchLoader loader(work(), options_.workers);
    const auto first = step_;
    while (step_ < plan_.steps()) {
      const auto start = Clock::now();
      one_step(loader);
      seconds_ += seconds_since(start);
      tell_step(first);
      const bool stop = listener_.interrupted();
      if (evaluation_is_due()) {
        state_.evaluation_due = true;
        if (stop || !evaluated()) return stopped();
        if (stopped_early()) return Ending::early;
      } else if (stop) {
        return stopped();
      } else if (options_.save_every > 0 && step_ % options_.save_every == 0) {
        save();
      }
    }
    return Ending::done;
  }

  Ending stopped() {
    save();
    return Ending::interrupted;
  }

  void refuse_without_evaluations() const {
    if (validation_) return;
    std::vector<Problem> problems;
    const auto wants = [&](const char* pointer, bool wanted) {
      if (wanted) problems.push_back({pointer, "looks at evaluations, and there are none without /data/val"});
    };
    wants("/schedule", schedule_->wants_evaluations());
    wants("/train/early_stopping", options_.early_stopping.has_value());
    wants("/train/best_metric", !options_.best_metric.empty());
    if (!problems.empty()) throw SpecError(std::move(problems));
  }

  bool evaluation_is_due() const {
    if (step_ % plan_.steps_per_epoch() != 0) return false;
    const auto epoch = step_ / plan_.steps_per_epoch();
    return epoch % options_.validate_every == 0 || step_ == plan_.steps();
  }

  void one_step(BatchLoader& loader) {
    const auto batches = plan_.first_batch(step_ + 1) - plan_.first_batch(step_);
    const auto epoch = plan_.epoch_of(step_);
    const double lr = pipeline_.spec.optimizer.common().lr * lr_factor();
    report_ = {.step = step_ + 1,
               .steps = plan_.steps(),
               .epoch = static_cast<int>(epoch) + 1,
               .epochs = options_.epochs,
               .terms = {},
               .lr = lr};
    forget_gradients(groups_);
    bool overflowed = false;
    std::vector<std::string> pictures;
    for (std::int64_t i = 0; i < batches; ++i) {
      auto loaded = loader.next();
      for (const auto& reason : loaded.bad) note_bad_sample(reason);
      for (const auto& sample : loaded.batch.truth) pictures.push_back(sample.id);
      images_ += static_cast<std::int64_t>(loaded.batch.truth.size());
      overflowed |= !learn_from(pipeline_.placed(std::move(loaded.batch)), batches);
    }
    const c10::AutoGradMode no_gradients(false);
    auto found = gradients(groups_);
    if (scaler_.scale != 1 && !found.empty()) at::_foreach_mul_(found, 1 / scaler_.scale);
    report_.gradient_norm = overflowed ? std::numeric_limits<double>::infinity() : norm(found);
    overflowed = !std::isfinite(report_.gradient_norm);
    const double scale = scaler_.scale;
    if (options_.precision == Precision::fp16) scaler_.update(overflowed);
    if (overflowed && (options_.precision != Precision::fp16 || scale <= 1)) stop_at_no_number(pictures);
    ++step_;
    if (overflowed) return;
    if (options_.clip_gradient > 0) clip(found, report_.gradient_norm, options_.clip_gradient);
    optimizer_->step(groups_, lr);
    if (ema_) ema_->update(step_ - 1);
  }

  // Adds a batch's share to the gradients; false when its loss is not finite, and nothing was added.
  bool learn_from(const Batch& batch, std::int64_t batches) {
    const auto [loss, terms] = pipeline_.loss(pipeline_.forward(batch), batch);
    std::vector<at::Tensor> values{loss.detach().to(at::kDouble)};
    for (const auto& term : terms) values.push_back(term.value.to(at::kDouble));
    const auto numbers = at::stack(values).cpu();  // one transfer for all of them
    const auto share = 1 / static_cast<double>(batches);
    const auto number = [&](std::size_t i) { return numbers.const_data_ptr<double>()[i]; };
    report_.loss += number(0) * share;
    report_.terms.resize(terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i) {
      report_.terms[i].first = terms[i].name;
      report_.terms[i].second += number(i + 1) * share;
    }
    if (!std::isfinite(number(0))) return false;
    const double factor = share * scaler_.scale;
    (factor == 1 ? loss : loss * factor).backward();
    return true;
  }

  [[noreturn]] void stop_at_no_number(const std::vector<std::string>& pictures) const {
    const bool of_loss = !std::isfinite(report_.loss);
    std::string text = std::string(of_loss ? "the loss" : "a gradient") + " is no finite number in step " +
                       std::to_string(report_.step) + ":";
    for (const auto& [name, value] : report_.terms) text += " " + name + " " + std::to_string(value);
    if (!of_loss) {
      text += "; of";
      for (const auto& name : not_finite(groups_, 3)) text += " " + name;
    }
    text += "; pictures:";
    for (const auto& id : pictures) text += " " + id;
    throw std::runtime_error(text + ". A lower learning rate (/optimizer/lr) or /train/clip_gradient may help; " +
                             (fs::exists(folder_ / "last.pth")
                                  ? (folder_ / "last.pth").string() + " is of an earlier step"
                                  : std::string("nothing was saved yet")));
  }

  double lr_factor() const {
    return learning_rate_factor(*schedule_, pipeline_.spec.schedule.common(), step_, plan_.steps(),
                                plan_.steps_per_epoch(), state_.evaluations);
  }

  void note_bad_sample(const std::string& reason) {
    state_.bad_samples.push_back(reason);
    log_->write(JsonLine()
                    .add("event", std::string("bad_sample"))
                    .add("step", report_.step)
                    .add("epoch", std::int64_t{report_.epoch})
                    .add("reason", reason));
    listener_.noted("skipped: " + reason);
  }

  void tell_step(std::int64_t first) {
    seconds_here_ = seconds_ - seconds_before_;
    const auto steps_here = static_cast<double>(step_ - first);
    report_.seconds = seconds_;
    report_.images_per_second = seconds_here_ > 0 ? static_cast<double>(images_) / seconds_here_ : 0;
    report_.seconds_left = seconds_here_ / steps_here * static_cast<double>(plan_.steps() - step_);
    JsonLine terms;
    for (const auto& [name, value] : report_.terms) terms.add(name, value);
    JsonLine line;
    line.add("event", std::string("step"))
        .add("step", report_.step)
        .add("epoch", std::int64_t{report_.epoch})
        .add("loss", report_.loss)
        .add("terms", terms)
        .add("gradient_norm", report_.gradient_norm)
        .add("lr", report_.lr)
        .add("seconds", report_.seconds);
    if (options_.precision == Precision::fp16) line.add("loss_scale", scaler_.scale);
    log_->write(line);
    listener_.stepped(report_);
  }

  // Evaluates where there is something to evaluate on, and saves; false when interrupted, and saved as due.
  bool evaluated() {
    const auto epoch = step_ / plan_.steps_per_epoch();
    bool best = false;
    std::optional<double> value;
    if (validation_) {
      Evaluation evaluation;
      try {
        const Ema::Scope means(ema_ ? &*ema_ : nullptr);
        evaluation = evaluate(pipeline_, *validation_, [this](std::size_t done, std::size_t all) {
          listener_.evaluating(done, all);
          if (done < all && listener_.interrupted()) throw Interrupted{};
        });
      } catch (const Interrupted&) {
        return false;
      }
      value = best_by_.value(evaluation);
      best = best_by_.better(*value, state_.best);
      if (best) state_.best = value, state_.best_epoch = epoch;
      state_.evaluations.push_back(*value);
      tell_evaluation(evaluation, epoch);
      listener_.evaluated(static_cast<int>(epoch), evaluation, best);
      result_.last = std::move(evaluation);
    }
    state_.evaluation_due = false;
    if (best) save_checkpoint(folder_ / "best.pth", pack());
    save();
    return true;
  }

  bool stopped_early() const {
    if (!options_.early_stopping) return false;
    std::optional<double> best;
    int without = 0;
    for (const double value : state_.evaluations) {
      const bool better = best_by_.better(value, best, options_.early_stopping->min_delta);
      if (better) best = value;
      without = better ? 0 : without + 1;
    }
    return without >= options_.early_stopping->patience;
  }

  Checkpoint pack() const {
    Checkpoint checkpoint;
    checkpoint.spec = resolved_;
    checkpoint.model_type = pipeline_.spec.model.type();
    checkpoint.labels = *pipeline_.context.labels;
    checkpoint.channels = pipeline_.context.channels;
    checkpoint.dimensions = pipeline_.context.dimensions;
    checkpoint.epoch = step_ == 0 ? 0 : static_cast<std::int64_t>(plan_.epoch_of(step_ - 1)) + 1;
    checkpoint.step = step_;
    if (!state_.evaluations.empty()) {
      checkpoint.metric_name = best_by_.name();
      checkpoint.metric = state_.evaluations.back();
    }
    checkpoint.model = state_dict(pipeline_.model->module());
    if (ema_) checkpoint.ema = ema_->state();
    return checkpoint;
  }

  void save() {
    auto checkpoint = pack();
    auto resumption = state_;
    resumption.optimizer = optimizer_state(*optimizer_, pipeline_.spec.optimizer, groups_,
                                           pipeline_.spec.optimizer.common().lr * lr_factor());
    for (const auto& [name, generator] : generators()) resumption.rng[name] = generator.get_state();
    resumption.loss_scale = scaler_.scale;
    resumption.growth_tracker = scaler_.growth_tracker;
    resumption.seconds = seconds_;
    checkpoint.resumption = std::move(resumption);
    save_checkpoint(folder_ / "last.pth", checkpoint);
    if (options_.keep > 0) keep_this_one();
  }

  // last.pth under a name of its own, without its bytes twice where the file system can do that.
  void keep_this_one() const {
    char name[32];
    std::snprintf(name, sizeof name, "step-%06lld.pth", static_cast<long long>(step_));
    std::error_code failed;
    fs::remove(folder_ / name, failed);
    fs::create_hard_link(folder_ / "last.pth", folder_ / name, failed);
    if (failed && !fs::copy_file(folder_ / "last.pth", folder_ / name, failed))
      throw DataError(folder_ / name, "cannot be written: " + failed.message());
    const auto saves = kept_saves(folder_);
    for (std::size_t i = 0; i + static_cast<std::size_t>(options_.keep) < saves.size(); ++i)
      fs::remove(saves[i], failed);
  }

  void resume(const fs::path& file) {
    const auto checkpoint = load_checkpoint(file);
    if (!checkpoint.resumption)
      throw DataError(file, "holds weights alone, and no run can go on from them; last.pth and step-*.pth can");
    refuse_other_spec(checkpoint, file);
    load_into(pipeline_.model->module(), checkpoint.model, checkpoint.model_type, file);
    state_ = *checkpoint.resumption;
    load_optimizer_state(*optimizer_, state_.optimizer, file);
    state_.optimizer = {};
    if (ema_) ema_->load(checkpoint.ema);
    for (auto& [name, generator] : generators())
      if (const auto found = state_.rng.find(name); found != state_.rng.end()) generator.set_state(found->second);
    if (options_.precision == Precision::fp16) scaler_ = {state_.loss_scale, state_.growth_tracker};
    seconds_ = seconds_before_ = state_.seconds;
    step_ = checkpoint.step;
  }

  void refuse_other_spec(const Checkpoint& checkpoint, const fs::path& file) const {
    std::vector<Problem> problems;
    for (const auto& pointer : training_differences(resolved_, checkpoint.spec))
      problems.push_back(
          {pointer, "is not what " + file.string() +
                        " was trained with; a run goes on with the same spec. Put it back, or begin a new "
                        "run (its weights can be the start: /model/weights)"});
    if (!problems.empty()) throw SpecError(std::move(problems));
  }

  std::map<std::string, at::Generator> generators() const {
    std::map<std::string, at::Generator> all{{"cpu", at::globalContext().defaultGenerator(at::kCPU)}};
    if (pipeline_.device.is_cuda()) all.emplace("cuda", at::globalContext().defaultGenerator(pipeline_.device));
    return all;
  }

  void tell_evaluation(const Evaluation& evaluation, std::int64_t epoch) {
    for (const auto& reason : evaluation.bad_samples) {
      if (told_.insert(reason).second) result_.bad_samples.push_back(reason);
    }
    JsonLine values;
    for (const auto& [metric, report] : evaluation.reports)
      for (const auto& value : report.values) values.add(metric + "/" + value.name, value.value);
    log_->write(JsonLine()
                    .add("event", std::string("evaluation"))
                    .add("step", step_)
                    .add("epoch", epoch)
                    .add("pictures", static_cast<std::int64_t>(evaluation.pictures))
                    .add("bad_samples", evaluation.bad_samples)
                    .add("seconds", evaluation.seconds)
                    .add("values", values));
  }

  Pipeline& pipeline_;
  const PipelineSpec::Train& options_;
  const fs::path folder_;
  const TrainListener& listener_;
  const TrainingPlan plan_;
  const std::string resolved_;
  const BestBy best_by_;
  const std::shared_ptr<Optimizer> optimizer_;
  const std::shared_ptr<Schedule> schedule_;
  const std::vector<ParameterGroup> groups_;
  std::optional<Ema> ema_;
  LossScaler scaler_;
  std::optional<SampleSource> validation_;
  std::unique_ptr<EventLog> log_;
  Resumption state_;       // what is only known to the file is filled in when it is saved
  std::int64_t step_ = 0;  // done
  StepReport report_;
  std::int64_t images_ = 0;  // since it began or was resumed
  double seconds_ = 0, seconds_before_ = 0, seconds_here_ = 0;
  std::set<std::string> told_;  // bad samples of evaluations
  TrainResult result_;
};

}  // namespace

std::vector<fs::path> kept_saves(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder)) {
    const auto name = entry.path().filename().string();
    if (name.rfind("step-", 0) == 0 && entry.path().extension() == ".pth") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

TrainResult train(Pipeline& pipeline, const fs::path& folder, const TrainListener& listener,
                  const std::optional<fs::path>& resume_from) {
  return Run(pipeline, folder, listener, resume_from).all();
}

}  // namespace sectile
