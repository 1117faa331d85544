// Events of training, and their listeners.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "../inference/evaluation.h"

namespace sectile {

struct StepReport {
  std::int64_t step = 0;  // 1 … steps
  std::int64_t steps = 0;
  int epoch = 0;  // 1 … epochs
  int epochs = 0;
  double loss = 0;                                    // the mean of the step's batches
  std::vector<std::pair<std::string, double>> terms;  // of the loss, unweighted
  double gradient_norm = 0;                           // before clipping
  double lr = 0;
  std::optional<double> loss_scale{};  // of fp16
  double seconds = 0;                  // of training, without evaluation, including those before resuming
  double images_per_second = 0;        // since training started or resumed
  double seconds_left = 0;             // of training, at this speed
};

struct EvaluationReport {
  std::int64_t step = 0;  // after which it was evaluated
  int epoch = 0;
  const Evaluation& evaluation;
  bool best = false;  // so far
};

struct BadSampleReport {
  std::int64_t step = 0;
  int epoch = 0;
  std::string reason;  // names the sample
};

// All are called from the training thread. An exception from a listener ends the training.
struct TrainListener {
  // What the user should know, although nothing is wrong.
  std::function<void(const std::string&)> noted = [](const std::string&) {};
  std::function<void(const StepReport&)> stepped = [](const StepReport&) {};
  std::function<void(const BadSampleReport&)> skipped = [](const BadSampleReport&) {};
  std::function<void(std::size_t done, std::size_t all)> evaluating = [](std::size_t, std::size_t) {};
  std::function<void(const EvaluationReport&)> evaluated = [](const EvaluationReport&) {};
  // An error ends the training, and last.pth holds the state after this step.
  std::function<void(std::int64_t step)> saved_after_error = [](std::int64_t) {};
};

class EventLog;
TrainListener logging_to(EventLog& log);  // which must outlive it

}  // namespace sectile
