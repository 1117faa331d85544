#include "trainer.h"

#include <chrono>
#include <cmath>
#include <fstream>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include <sectile/optimizer.h>
#include <sectile/schedule.h>

#include "../inference/device.h"
#include "../loading/loader.h"
#include "../reporting/event_log.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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

// Which samples are seen when: every epoch all of them, in an order of its own. An incomplete last batch is left out,
// since batch statistics of few samples would disturb what was learned; a data set smaller than one batch is one batch.
struct Plan {
  std::size_t samples, batch, batches;
  std::uint64_t seed;

  Plan(const Pipeline& pipeline)
      : samples(pipeline.training.data->size()),
        batch(std::min(samples, static_cast<std::size_t>(pipeline.spec.train.batch_size))),
        batches(samples / batch),
        seed(pipeline.training.seed) {}
  std::size_t epoch(std::int64_t step) const { return static_cast<std::size_t>(step) / batches; }
  std::size_t index(std::int64_t step, std::size_t part) const {
    const auto at = static_cast<std::size_t>(step) % batches * batch + part;
    return order(epoch(step))[at];
  }

 private:
  // The order of the epoch that this thread is in.
  const std::vector<std::size_t>& order(std::size_t wanted) const {
    thread_local std::vector<std::size_t> known;
    thread_local std::tuple<std::size_t, std::uint64_t, std::size_t> key{0, 0, 0};
    const std::tuple wanted_key{samples, seed, wanted};
    if (key != wanted_key) {
      known = shuffled(samples, seed, wanted);
      key = wanted_key;
    }
    return known;
  }
};

double learning_rate(const Pipeline& pipeline, const Schedule& schedule, std::int64_t step, std::int64_t steps) {
  const auto warmup = pipeline.spec.schedule.common().warmup;
  const double rise = step < warmup ? static_cast<double>(step + 1) / static_cast<double>(warmup + 1) : 1;
  return pipeline.spec.optimizer.common().lr * schedule.factor(step, steps) * rise;
}

void clip_gradients(const std::vector<ParameterGroup>& groups, double limit) {
  std::vector<at::Tensor> gradients;
  for (const auto& group : groups)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  if (gradients.empty()) return;
  const auto norm = at::stack(at::_foreach_norm(gradients)).norm();
  at::_foreach_mul_(gradients, (limit / (norm + 1e-6)).clamp_max(1.0));  // torch.nn.utils.clip_grad_norm_'s formula
}

class Run {
 public:
  Run(Pipeline& pipeline, const fs::path& folder, const TrainListener& listener)
      : pipeline_(pipeline),
        folder_(folder),
        listener_(listener),
        plan_(pipeline),
        steps_(static_cast<std::int64_t>(plan_.batches) * pipeline.spec.train.epochs),
        resolved_(resolved_text(pipeline.spec)),
        log_(folder / "log.jsonl"),
        optimizer_(pipeline.spec.optimizer.build(pipeline.context)),
        schedule_(pipeline.spec.schedule.build(pipeline.context)),
        groups_(parameter_groups(pipeline.model->module(), 1)) {
    if (pipeline.spec.data.val) validation_ = pipeline.source("val");
    write_text(folder / "spec.json", resolved_);
  }

  TrainResult all() {
    set_training(pipeline_.model->module(), true);
    Loader<Sample, Batch> loader(
        {[this] { return steps_; }, [this](std::int64_t) { return plan_.batch; },
         [this](std::int64_t step, std::size_t part) {
           return pipeline_.training.prepare(plan_.epoch(step), plan_.index(step, part));
         },
         [this](std::int64_t, std::vector<Sample> samples) { return pipeline_.collate(std::move(samples)); }},
        pipeline_.spec.train.workers);
    for (std::int64_t step = 0; step < steps_; ++step) {
      const auto start = Clock::now();
      one_step(step, to_device(loader.next(), pipeline_.device));
      seconds_ += seconds_since(start);
      report_.seconds = seconds_;
      tell_step();
      if ((step + 1) % static_cast<std::int64_t>(plan_.batches) == 0) end_of_epoch(step + 1);
    }
    return std::move(result_);
  }

 private:
  void one_step(std::int64_t step, const Batch& batch) {
    const auto [loss, terms] = pipeline_.loss(pipeline_.forward(batch), batch);
    report_ = {step + 1,
               steps_,
               static_cast<int>(plan_.epoch(step)) + 1,
               pipeline_.spec.train.epochs,
               loss.item<double>(),
               {},
               learning_rate(pipeline_, *schedule_, step, steps_),
               0,
               report_.images + static_cast<std::int64_t>(plan_.batch)};
    for (const auto& term : terms) report_.terms.emplace_back(term.name, term.value.item<double>());
    if (!std::isfinite(report_.loss)) stop_at_no_number(batch);
    for (const auto& group : groups_)
      for (const auto& parameter : group.parameters) parameter.mutable_grad().reset();
    loss.backward();
    const c10::AutoGradMode no_gradients(false);
    if (pipeline_.spec.train.clip_gradient > 0) clip_gradients(groups_, pipeline_.spec.train.clip_gradient);
    optimizer_->step(groups_, report_.lr);
  }

  [[noreturn]] void stop_at_no_number(const Batch& batch) const {
    std::string text = "the loss is no finite number in step " + std::to_string(report_.step) + ":";
    for (const auto& [name, value] : report_.terms) text += " " + name + " " + std::to_string(value);
    text += "; pictures:";
    for (const auto& sample : batch.truth) text += " " + sample.id;
    throw std::runtime_error(text + ". A lower learning rate (/optimizer/lr) or /train/clip_gradient may help");
  }

  void tell_step() {
    JsonLine terms;
    for (const auto& [name, value] : report_.terms) terms.add(name, value);
    log_.write(JsonLine()
                   .add("event", std::string("step"))
                   .add("step", report_.step)
                   .add("epoch", std::int64_t{report_.epoch})
                   .add("loss", report_.loss)
                   .add("terms", terms)
                   .add("lr", report_.lr)
                   .add("seconds", report_.seconds));
    listener_.stepped(report_);
  }

  void end_of_epoch(std::int64_t step) {
    const bool last = report_.epoch == report_.epochs;
    if (!last && report_.epoch % pipeline_.spec.train.validate_every != 0) return;
    Checkpoint checkpoint = pack(step);
    bool best = false;
    if (validation_) {
      const auto evaluation = evaluate(pipeline_, *validation_, listener_.evaluating);
      const auto& headline = evaluation.headline();
      checkpoint.metric_name = evaluation.reports.front().first + "/" + headline.name;
      checkpoint.metric = headline.value;
      best = std::isfinite(headline.value) && (!result_.best || headline.value > *result_.best);
      if (best) result_.best = headline.value, result_.best_epoch = report_.epoch;
      tell_evaluation(evaluation);
      listener_.evaluated(report_.epoch, evaluation, best);
      result_.last = evaluation;
    }
    if (best) save_checkpoint(folder_ / "best.pth", checkpoint);
    checkpoint.optimizer = optimizer_->state();
    save_checkpoint(folder_ / "last.pth", checkpoint);
  }

  Checkpoint pack(std::int64_t step) const {
    Checkpoint checkpoint;
    checkpoint.spec = resolved_;
    checkpoint.model_type = pipeline_.spec.model.type();
    checkpoint.labels = *pipeline_.context.labels;
    checkpoint.channels = pipeline_.context.channels;
    checkpoint.dimensions = pipeline_.context.dimensions;
    checkpoint.epoch = report_.epoch;
    checkpoint.step = step;
    checkpoint.model = state_dict(pipeline_.model->module());
    return checkpoint;
  }

  void tell_evaluation(const Evaluation& evaluation) {
    JsonLine values;
    for (const auto& [metric, report] : evaluation.reports)
      for (const auto& value : report.values) values.add(metric + "/" + value.name, value.value);
    log_.write(JsonLine()
                   .add("event", std::string("evaluation"))
                   .add("step", report_.step)
                   .add("epoch", std::int64_t{report_.epoch})
                   .add("pictures", static_cast<std::int64_t>(evaluation.pictures))
                   .add("seconds", evaluation.seconds)
                   .add("values", values));
  }

  Pipeline& pipeline_;
  const fs::path folder_;
  const TrainListener& listener_;
  const Plan plan_;
  const std::int64_t steps_;
  const std::string resolved_;
  EventLog log_;
  const std::shared_ptr<Optimizer> optimizer_;
  const std::shared_ptr<Schedule> schedule_;
  const std::vector<ParameterGroup> groups_;
  std::optional<SampleSource> validation_;
  StepReport report_;
  double seconds_ = 0;
  TrainResult result_;
};

}  // namespace

TrainResult train(Pipeline& pipeline, const fs::path& folder, const TrainListener& listener) {
  return Run(pipeline, folder, listener).all();
}

}  // namespace sectile
