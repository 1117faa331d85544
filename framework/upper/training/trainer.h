// Training: batches in, weights out, told step by step.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "listener.h"
#include "pipeline.h"

namespace sectile {

// Who decides when to stop, and where to go on.
struct TrainControl {
  std::function<bool()> interrupted = [] { return false; };  // asked after every step: save and return
  std::optional<std::filesystem::path> resume_from{};        // a checkpoint of such a run
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
// OpenMP threads. log.jsonl is written by a listener that hears everything before the others. Throws SpecError where a
// checkpoint was made by another spec, DataError for data and files, std::runtime_error when the loss or a gradient is
// not finite.
TrainResult train(Pipeline& pipeline, const std::filesystem::path& folder,
                  const std::vector<TrainListener>& listeners = {}, const TrainControl& control = {});

}  // namespace sectile
