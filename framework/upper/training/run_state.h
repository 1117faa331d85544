// The state of a training run between steps, and saving and restoring it.
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <ATen/core/Generator.h>

#include <sectile/optimizer.h>
#include <sectile/schedule.h>

#include "../weights/checkpoint.h"
#include "../weights/ema.h"
#include "best_by.h"
#include "gradients.h"
#include "pipeline.h"
#include "plan.h"
#include "run_folder.h"

namespace sectile {

TrainingPlan plan_of(const Pipeline& pipeline);  // throws PluginError for a sampler that violates its contract

class RunState {
 public:
  // The pipeline must outlive it. validation: the data of evaluations; null if there are none. Throws SpecError.
  RunState(Pipeline& pipeline, const Dataset* validation);

  // Resumes from a checkpoint. Throws SpecError if it is from another spec or other data, wherever those are, DataError
  // if it cannot be resumed.
  void resume(const std::filesystem::path& file);

  // Writes last.pth, and also keeps it as step-*.pth if the spec says so.
  bool has_finite_weights() const;                      // and their moving average
  void save(RunFolder& folder, bool as_planned) const;  // as in RunFolder::saved()
  void save_best(const RunFolder& folder) const;

  // The beginning of a step, before its optimizer step: batch norm's statistics and random numbers. rewind() returns to
  // the last mark, so that a step that failed can be repeated.
  void mark();
  void rewind();

  double lr() const;  // of the next step

  const TrainingPlan plan;
  const std::string spec;  // resolved, as JSON text
  const BestBy best_by;
  const std::shared_ptr<Optimizer> optimizer;
  const std::shared_ptr<Schedule> schedule;
  const std::vector<ParameterGroup> groups;
  std::optional<Ema> ema;
  LossScaler scaler;
  std::int64_t step = 0;  // completed steps
  Resumption record;      // optimizer, rng and scaler are only filled in when saving

 private:
  Checkpoint weights() const;
  void refuse_other_run(const Checkpoint& checkpoint, const std::filesystem::path& file) const;
  std::map<std::string, at::Generator> generators() const;
  bool draws_others(const Checkpoint& checkpoint) const;
  std::vector<Problem> other_data(const Checkpoint& checkpoint, const std::filesystem::path& file) const;

  Pipeline& pipeline_;
  const std::vector<at::Tensor> buffers_;
  std::vector<at::Tensor> marked_buffers_;
  std::map<std::string, at::Tensor> marked_rng_;
};

}  // namespace sectile
