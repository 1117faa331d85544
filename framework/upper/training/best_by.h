// Which evaluation is the best so far, and early stopping.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sectile/schedule.h>

#include "../inference/evaluation.h"
#include "pipeline.h"

namespace sectile {

// Throws SpecError for each setting that needs evaluations, if the spec has no validation data.
void refuse_without_evaluations(const PipelineSpec& spec, const Schedule& schedule);

// One value of one metric, such as "iou/mIoU"; by default the first value of the first metric.
class BestBy {
 public:
  explicit BestBy(const Pipeline& pipeline);  // throws SpecError if no metric has the value

  const std::string& name() const { return name_; }
  bool higher_is_better() const { return higher_; }
  double value(const Evaluation& evaluation) const;  // NaN if it is missing
  bool better(double value, std::optional<double> than, double by = 0) const;

  // Whether the spec's patience is exceeded after evaluations with these values.
  bool stops_early(const std::vector<double>& evaluations) const;

 private:
  const PipelineSpec::Train& options_;
  std::string name_;
  bool higher_ = true;  // is better
};

}  // namespace sectile
