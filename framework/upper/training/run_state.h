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

namespace sectile {

class RunState {
 public:
  explicit RunState(Pipeline& pipeline);  // which must outlive it; throws SpecError

  // Resumes from a checkpoint. Throws SpecError if it is from another spec, DataError if it cannot be resumed.
  void resume(const std::filesystem::path& file);

  // Writes last.pth to the run's folder, and also keeps it under another name if the spec says so.
  void save(const std::filesystem::path& folder) const;
  void save_best(const std::filesystem::path& folder) const;

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
  void keep_last(const std::filesystem::path& folder) const;
  void refuse_other_spec(const Checkpoint& checkpoint, const std::filesystem::path& file) const;
  std::map<std::string, at::Generator> generators() const;

  Pipeline& pipeline_;
};

// step-*.pth of a run's folder, the earliest first.
std::vector<std::filesystem::path> kept_saves(const std::filesystem::path& folder);

}  // namespace sectile
