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
  double loss = 0;
  std::vector<std::pair<std::string, double>> terms;  // of the loss, before their weights
  double lr = 0;
  double seconds = 0;       // since training began, evaluation left out
  std::int64_t images = 0;  // seen since then
};

// What the caller wants to hear. All are called from the thread that trains.
struct TrainListener {
  std::function<void(const StepReport&)> stepped = [](const StepReport&) {};
  std::function<void(std::size_t done, std::size_t all)> evaluating = [](std::size_t, std::size_t) {};
  std::function<void(int epoch, const Evaluation&, bool best)> evaluated = [](int, const Evaluation&, bool) {};
};

struct TrainResult {
  std::optional<Evaluation> last;  // none where the spec has no validation data
  std::optional<double> best;
  int best_epoch = 0;
};

// Writes spec.json, log.jsonl, last.pth and best.pth into the folder, which must be there. Throws DataError for data
// and files, std::runtime_error when the loss stops being a number.
TrainResult train(Pipeline& pipeline, const std::filesystem::path& folder, const TrainListener& listener);

}  // namespace sectile
