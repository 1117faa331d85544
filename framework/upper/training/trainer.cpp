#include "trainer.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

#include "../../ground/component_call.h"
#include "../../ground/images/image_file.h"
#include "../loading/evaluation_notes.h"
#include "../loading/loader.h"
#include "../network/device.h"
#include "../reporting/event_log.h"
#include "first_batch.h"
#include "run_state.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using Precision = PipelineSpec::Precision;

constexpr std::size_t kMostBadSamples = 1000;  // that are listed, in every checkpoint

void write_text(const fs::path& file, const std::string& text) {
  ReplacedFile out(file);
  std::fwrite(text.data(), 1, text.size(), out.stream());
  std::fputc('\n', out.stream());
  out.commit();
}

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

// Thrown to abort an evaluation.
struct Interrupted {};

// The weights may be useless: what was saved before stays.
struct NotFinite : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class Run {
 public:
  Run(Pipeline& pipeline, RunFolder folder, const std::vector<TrainListener>& listeners, const TrainControl& control)
      : pipeline_(pipeline),
        options_(pipeline.spec.train),
        folder_(std::move(folder)),
        control_(control),
        validation_(pipeline.spec.data.val ? std::optional(pipeline.source("val")) : std::nullopt),
        state_(pipeline, validation_ ? validation_->data.get() : nullptr) {
    if (options_.deterministic) want_determinism();
    refuse_without_evaluations(pipeline.spec, *state_.schedule);
    if (validation_) refuse_objects_without_masks(pipeline, *validation_);
    if (control.resume_from) {
      resume(*control.resume_from);
    } else {
      state_.mark();
      refuse_single_image(pipeline_, state_.plan);
      state_.rewind();
      folder_.start_anew();
      log_ = std::make_unique<EventLog>(folder_.log());
    }
    listeners_.push_back(logging_to(*log_));
    listeners_.insert(listeners_.end(), listeners.begin(), listeners.end());
    seconds_before_ = state_.record.seconds;
    write_text(folder_.spec(), state_.spec);
  }

  TrainResult all() {
    set_training(pipeline_.model->module(), true);
    try {
      tell_notes();
      result_.ending = run();
      if (result_.ending != Ending::interrupted) folder_.saved(/*as_planned=*/true);
      tell_replaced();
    } catch (const NotFinite&) {
      throw;
    } catch (...) {
      save_after_error();
      throw;
    }
    result_.step = state_.step;
    result_.best = state_.record.best;
    result_.best_epoch = state_.record.best_epoch;
    result_.bad_samples = state_.record.bad_samples;
    return std::move(result_);
  }

 private:
  struct Loaded {
    Batch batch;
    std::vector<std::string> bad;
  };
  using BatchLoader = Loader<Prepared, Loaded>;

  BatchLoader::Work work() const {
    const auto first = state_.plan.first_batch(state_.step);
    return {[this, first] { return state_.plan.total_batches() - first; },
            [this, first](std::int64_t number) { return state_.plan.size(first + number); },
            [this, first](std::int64_t number, std::size_t part) {
              return pipeline_.prepare(state_.plan, first + number, part);
            },
            [this](std::int64_t, std::vector<Prepared> prepared) {
              Loaded loaded;
              std::vector<Sample> samples;
              for (auto& one : prepared) {
                samples.push_back(std::move(one.sample));
                for (auto& reason : one.bad) loaded.bad.push_back(std::move(reason));
              }
              loaded.batch = pipeline_.collate(std::move(samples), /*training=*/true);
              return loaded;
            }};
  }

  void tell_notes() const {
    std::error_code unknown;
    if (state_.record.best && !fs::exists(folder_.best(), unknown))
      tell("best.pth, of epoch " + std::to_string(state_.record.best_epoch) +
           ", is not here; there will be one if a later evaluation is better");
    if (!validation_) return;
    for (const auto& note : evaluation_notes(*pipeline_.training.data, pipeline_.notes, *validation_, "/data/val"))
      tell(note);
  }

  void tell_replaced() const {
    if (const auto note = folder_.note_on_replaced(); !note.empty()) tell(note);
  }

  void tell(const std::string& note) const {
    for (const auto& listener : listeners_) listener.noted(note);
  }

  void resume(const fs::path& file) {
    read_save(file);
    saved_step_ = state_.step;
    const auto from = file.parent_path();
    std::error_code unknown;
    const bool elsewhere = !fs::equivalent(from, folder_.path(), unknown);
    // In its own folder, a run that goes back to an earlier save does so before its log does.
    if (!elsewhere && !fs::equivalent(file, folder_.last(), unknown)) save();
    if (elsewhere) folder_.start_anew();
    if (!elsewhere && options_.keep > 0) folder_.keep(options_.keep, state_.step);
    log_ = std::make_unique<EventLog>(folder_.log(), EventLog::Kept{.from = from / folder_.log().filename(),
                                                                    .last_step = state_.step,
                                                                    .last_evaluation = !state_.record.evaluation_due});
    if (elsewhere && state_.record.best) take_best_along(from / folder_.best().filename());
    if (elsewhere) save();
  }

  void read_save(const fs::path& file) {
    try {
      state_.resume(file);
    } catch (const DataError& error) {
      const auto steps = folder_.saved_steps();
      if (steps.empty() || file != folder_.last()) throw;
      std::string reason = error.what();
      if (const auto place = file.string() + ": "; reason.starts_with(place)) reason.erase(0, place.size());
      throw DataError(file, reason + "; there is an earlier save too: " + folder_.save_of(steps.back()).string());
    }
  }

  // The best weights so far, for a run that is resumed in another folder: no later evaluation may be better.
  void take_best_along(const fs::path& file) const {
    std::error_code unknown;
    if (!fs::exists(file, unknown)) return;
    const auto best = load_checkpoint(file);
    if (best.epoch == state_.record.best_epoch) save_checkpoint(folder_.best(), best);
  }

  void save(bool as_planned = true) {
    if (!state_.has_finite_weights())
      throw NotFinite("the weights are not finite (NaN or Inf) after step " + std::to_string(state_.step) + advice());
    state_.save(folder_, as_planned);
    saved_step_ = state_.step;
  }

  // As if the training had been interrupted after the last complete step. The error that ends it is more important than
  // one of saving: then the last save stays.
  void save_after_error() {
    if (phase_ == Phase::updating || state_.step == saved_step_) return;
    try {
      if (phase_ == Phase::learning) {
        state_.rewind();
        state_.record.bad_samples.resize(marked_bad_samples_);
      }
      log_->flush();
      save(/*as_planned=*/false);
    } catch (const std::exception&) {
      return;
    }
    for (const auto& listener : listeners_) listener.saved_after_error(state_.step);
    tell_replaced();
  }

  Ending run() {
    if (state_.record.evaluation_due && !evaluated()) return Ending::interrupted;
    if (state_.best_by.stops_early(state_.record.evaluations)) return Ending::early;
    // The batches of a step are collected before the first one is used: load those of the next step meanwhile.
    BatchLoader loader(work(), options_.workers, std::max(3, options_.accumulate + 2));
    const auto first = state_.step;
    while (state_.step < state_.plan.steps()) {
      const auto start = Clock::now();
      one_step(loader);
      state_.record.seconds += seconds_since(start);
      state_.record.evaluation_due = evaluation_is_due();
      tell_step(first);
      const bool stop = control_.interrupted();
      if (state_.record.evaluation_due) {
        if (validation_ || stop) save(!stop);  // before the evaluation, in which anything may fail
        if (stop || !evaluated()) return Ending::interrupted;
        if (state_.best_by.stops_early(state_.record.evaluations)) return Ending::early;
      } else if (stop || (options_.save_every > 0 && state_.step % options_.save_every == 0)) {
        save(!stop);
        if (stop) return Ending::interrupted;
      }
    }
    return Ending::done;
  }

  // At the end of epochs and at the end of the run.
  bool evaluation_is_due() const {
    if (state_.step == state_.plan.steps()) return true;
    if (state_.step % state_.plan.steps_per_epoch() != 0) return false;
    return state_.step / state_.plan.steps_per_epoch() % options_.validate_every == 0;
  }

  void one_step(BatchLoader& loader) {
    const auto batches = state_.plan.first_batch(state_.step + 1) - state_.plan.first_batch(state_.step);
    const auto epoch = state_.plan.epoch_of(state_.step);
    const double lr = state_.lr();
    report_ = {.step = state_.step + 1,
               .steps = state_.plan.steps(),
               .epoch = static_cast<int>(epoch) + 1,
               .epochs = static_cast<int>(state_.plan.epochs()),
               .terms = {},
               .lr = lr};
    forget_gradients(state_.groups);
    state_.mark();
    marked_bad_samples_ = state_.record.bad_samples.size();
    phase_ = Phase::learning;
    std::vector<Batch> loaded;
    std::string images;
    for (std::int64_t i = 0; i < batches; ++i) {
      auto next = loader.next();
      for (const auto& reason : next.bad) note_bad_sample(reason, state_.step + 1);
      images += (images.empty() ? "" : ", ") + ids_of(next.batch);
      images_ += static_cast<std::int64_t>(next.batch.truth.size());
      loaded.push_back(std::move(next.batch));
    }
    const auto shares = pipeline_.shares(loaded);
    for (std::size_t i = 0; i < loaded.size(); ++i) learn_from(pipeline_.placed(std::move(loaded[i])), shares[i]);
    const c10::AutoGradMode no_gradients(false);
    auto found = gradients(state_.groups);
    if (state_.scaler.scale != 1 && !found.empty()) at::_foreach_mul_(found, 1 / state_.scaler.scale);
    report_.gradient_norm = norm(found);
    const bool overflowed = !std::isfinite(report_.gradient_norm);
    const double scale = state_.scaler.scale;
    phase_ = Phase::updating;
    if (options_.precision == Precision::fp16) state_.scaler.update(overflowed);
    if (overflowed && (options_.precision != Precision::fp16 || scale <= 1)) stop_at_non_finite(images);
    if (!overflowed) {
      if (options_.clip_gradient > 0) clip(found, report_.gradient_norm, options_.clip_gradient);
      call<PluginError>(place_of(state_.optimizer), "", [&] { state_.optimizer->step(state_.groups, lr); });
      if (state_.ema) state_.ema->update(state_.step);
    }
    ++state_.step;
    phase_ = Phase::between;
  }

  // Accumulates the gradients of a batch.
  void learn_from(const Batch& batch, const std::vector<double>& shares) {
    const auto outputs = std::exchange(checked_, true) ? pipeline_.forward(batch) : first_outputs(pipeline_, batch);
    const auto [loss, terms] = pipeline_.loss(outputs, batch, shares);
    std::vector<at::Tensor> values{loss.detach().to(at::kDouble)};
    for (const auto& term : terms) values.push_back(term.value.to(at::kDouble));
    const auto numbers = at::stack(values).cpu();  // one transfer for all of them
    const auto number = [&](std::size_t i) { return numbers.const_data_ptr<double>()[i]; };
    report_.loss += number(0);
    report_.terms.resize(terms.size());
    for (std::size_t i = 0; i < terms.size(); ++i) {
      report_.terms[i].first = terms[i].name;
      report_.terms[i].second += number(i + 1) * terms[i].share;
    }
    if (!std::isfinite(report_.loss)) stop_at_non_finite(ids_of(batch));  // not scaled: it did not overflow by scaling
    const double scale = state_.scaler.scale;
    call<PluginError>(
        place_of(pipeline_.model), ids_of(batch),
        [&, total = loss] { (scale == 1 ? total : total * scale).backward(); }, kBatchHint);
  }

  [[noreturn]] void stop_at_non_finite(const std::string& images) const {
    const bool of_loss = !std::isfinite(report_.loss);
    std::string text = std::string(of_loss ? "the loss" : "a gradient") + " is not finite (NaN or Inf) at step " +
                       std::to_string(report_.step) + ":";
    for (const auto& [name, value] : report_.terms) text += " " + name + " " + std::to_string(value);
    if (!of_loss) {
      text += "; of";
      for (const auto& name : not_finite(state_.groups, 3)) text += " " + name;
    }
    throw NotFinite(text + "; images: " + images + advice());
  }

  std::string advice() const {
    return ". A lower learning rate (/optimizer/lr) or /train/clip_gradient may help; " +
           (saved_step_ > 0 ? folder_.last().string() + " is of step " + std::to_string(saved_step_)
                            : std::string("nothing was saved yet"));
  }

  // Once for each: samples come again in every epoch and evaluation.
  void note_bad_sample(const std::string& reason, std::int64_t step) {
    auto& known = state_.record.bad_samples;
    if (known.size() > kMostBadSamples || std::find(known.begin(), known.end(), reason) != known.end()) return;
    known.push_back(known.size() < kMostBadSamples ? reason : "further bad samples are not listed");
    for (const auto& listener : listeners_)
      listener.skipped(
          {.step = step, .epoch = static_cast<int>(state_.plan.epoch_of(step - 1)) + 1, .reason = known.back()});
  }

  void tell_step(std::int64_t first) {
    const double seconds_here = state_.record.seconds - seconds_before_;
    const auto steps_here = static_cast<double>(state_.step - first);
    report_.seconds = state_.record.seconds;
    report_.images_per_second = seconds_here > 0 ? static_cast<double>(images_) / seconds_here : 0;
    report_.seconds_left = seconds_here / steps_here * static_cast<double>(state_.plan.steps() - state_.step);
    if (options_.precision == Precision::fp16) report_.loss_scale = state_.scaler.scale;
    for (const auto& listener : listeners_) listener.stepped(report_);
  }

  // Evaluates if there is validation data, and saves; false if interrupted.
  bool evaluated() {
    const auto epoch = static_cast<std::int64_t>(state_.plan.epoch_of(state_.step - 1)) + 1;
    bool best = false;
    std::optional<double> value;
    if (validation_) {
      Evaluation evaluation;
      try {
        const Ema::Scope means(state_.ema ? &*state_.ema : nullptr);
        evaluation = evaluate(pipeline_, *validation_, [this](std::size_t done, std::size_t all) {
          for (const auto& listener : listeners_) listener.evaluating(done, all);
          if (done < all && control_.interrupted()) throw Interrupted{};
        });
      } catch (const Interrupted&) {
        return false;
      }
      value = state_.best_by.value(evaluation);
      if (std::isinf(*value))
        tell("the evaluation gives an infinite value for " + state_.best_by.name() +
             ", which is no best one: was a class missed in an image, and has the metric an option \"penalty\"?");
      else if (std::isnan(*value))
        tell("the evaluation gives no value for " + state_.best_by.name() +
             ": does the validation data have labels that count?");
      best = state_.best_by.better(*value, state_.record.best);
      if (best) state_.record.best = value, state_.record.best_epoch = epoch;
      state_.record.evaluations.push_back(*value);
      for (const auto& reason : evaluation.bad_samples) note_bad_sample(reason, state_.step);
      for (const auto& listener : listeners_)
        listener.evaluated(
            {.step = state_.step, .epoch = static_cast<int>(epoch), .evaluation = evaluation, .best = best});
      result_.last = std::move(evaluation);
    }
    state_.record.evaluation_due = false;
    if (best) state_.save_best(folder_);
    save();
    return true;
  }

  Pipeline& pipeline_;
  const PipelineSpec::Train& options_;
  RunFolder folder_;
  const TrainControl& control_;
  const std::optional<SampleSource> validation_;
  RunState state_;
  std::unique_ptr<EventLog> log_;
  std::vector<TrainListener> listeners_;
  StepReport report_;
  // Within a step: until its gradients are complete, the state can return to the step's beginning; while weights,
  // optimizer and EMA are updated, it cannot be saved.
  enum class Phase { between, learning, updating } phase_ = Phase::between;
  std::size_t marked_bad_samples_ = 0;
  std::int64_t saved_step_ = 0;  // of last.pth
  std::int64_t images_ = 0;      // since it started or resumed
  double seconds_before_ = 0;    // before it resumed
  bool checked_ = false;         // the first batch was
  TrainResult result_;
};

}  // namespace

TrainResult train(Pipeline& pipeline, RunFolder folder, const std::vector<TrainListener>& listeners,
                  const TrainControl& control) {
  return Run(pipeline, std::move(folder), listeners, control).all();
}

}  // namespace sectile
