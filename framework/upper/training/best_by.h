// Which evaluation is the best so far, and whether a better one is still to be expected.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "../inference/evaluation.h"
#include "pipeline.h"

namespace sectile {

// One value of one metric, by "iou/mIoU"; where the spec names none, the very first.
class BestBy {
 public:
  explicit BestBy(const Pipeline& pipeline);  // throws SpecError where no metric gives the value

  const std::string& name() const { return name_; }
  double value(const Evaluation& evaluation) const;  // NaN where it is not among its values
  bool better(double value, std::optional<double> than, double by = 0) const;

  // Whether the spec's patience is at its end after evaluations with these values.
  bool stops_early(const std::vector<double>& evaluations) const;

 private:
  const PipelineSpec::Train& options_;
  std::string name_;
  bool higher_ = true;  // is better
};

}  // namespace sectile
