// Training: batches in, weights out, told step by step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "../inference/evaluation.h"
#include "pipeline.h"

namespace sectile {

struct StepReport {
  std::int64_t step = 0;  // 1 … steps
  std::int64_t steps = 0;
  int epoch = 0;  // 1 … epochs
  int epochs = 0;
  double loss = 0;                                    // the mean of the step's batches
  std::vector<std::pair<std::string, double>> terms;  // of the loss, before their weights
  double gradient_norm = 0;                           // before clipping
  double lr = 0;
  double seconds = 0;            // since training began, evaluation left out, with those before it was resumed
  double images_per_second = 0;  // since it began or was resumed
  double seconds_left = 0;       // of training, at that speed
};

// What the caller wants to hear. All are called from the thread that trains.
struct TrainListener {
  std::function<void(const StepReport&)> stepped = [](const StepReport&) {};
  std::function<void(std::size_t done, std::size_t all)> evaluating = [](std::size_t, std::size_t) {};
  std::function<void(int epoch, const Evaluation&, bool best)> evaluated = [](int, const Evaluation&, bool) {};
  std::function<void(const std::string&)> noted = [](const std::string&) {};  // worth telling
  std::function<bool()> interrupted = [] { return false; };                   // asked after every step: save and return
};

enum class Ending { done, early, interrupted };

struct TrainResult {
  Ending ending = Ending::done;
  std::int64_t step = 0;           // the last one
  std::optional<Evaluation> last;  // none where the spec has no validation data
  std::optional<double> best;
  std::int64_t best_epoch = 0;
  std::vector<std::string> bad_samples;  // what was wrong with those that the spec lets skip
};

// Writes spec.json, log.jsonl, last.pth and best.pth into the folder, which must be there. With a checkpoint of such a
// folder it goes on from there: the same bits as if it had never stopped, on the same machine with the same number of
// OpenMP threads. Throws SpecError where a checkpoint was made by another spec, DataError for data and files,
// std::runtime_error when the loss or a gradient stops being a number.
TrainResult train(Pipeline& pipeline, const std::filesystem::path& folder, const TrainListener& listener,
                  const std::optional<std::filesystem::path>& resume_from = {});

}  // namespace sectile
