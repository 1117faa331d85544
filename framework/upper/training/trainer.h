// The training loop.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "listener.h"
#include "pipeline.h"
#include "run_folder.h"

namespace sectile {

// When to stop, and where to resume.
struct TrainControl {
  std::function<bool()> interrupted = [] { return false; };  // checked after every step: save and return
  std::optional<std::filesystem::path> resume_from{};        // a checkpoint of a run with the same spec
};

enum class Ending { done, early, interrupted };

struct TrainResult {
  Ending ending = Ending::done;
  std::int64_t step = 0;           // the last one
  std::optional<Evaluation> last;  // none if the spec has no validation data
  std::optional<double> best;
  std::int64_t best_epoch = 0;
  std::vector<std::string> bad_samples;  // errors of the samples that were skipped: each once, up to a thousand
};

// Writes spec.json, log.jsonl, last.pth and best.pth to the folder. Without control.resume_from, an earlier run in it
// is replaced as soon as this one has saved something. Resumes from a checkpoint of such a folder: bit for bit the same
// result as without stopping, on the same machine with the same number of OpenMP threads. log.jsonl is written by a
// listener that is called before the others. Any error but a loss or gradient that is not finite first saves the state
// after the last complete step (TrainListener::saved_after_error). Throws SpecError if a checkpoint is from another
// spec, DataError for data and files, std::runtime_error if the loss or a gradient is not finite.
TrainResult train(Pipeline& pipeline, RunFolder folder, const std::vector<TrainListener>& listeners = {},
                  const TrainControl& control = {});

}  // namespace sectile
