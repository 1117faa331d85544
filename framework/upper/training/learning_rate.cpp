#include "learning_rate.h"

namespace sectile {

double learning_rate_factor(const Schedule& schedule, const Kind<Schedule>::Common& common, std::int64_t step,
                            std::int64_t steps, std::int64_t steps_per_epoch, const std::vector<double>& evaluations) {
  const bool by_epoch = common.by == Kind<Schedule>::Common::By::epoch;
  const auto unit = by_epoch ? steps_per_epoch : 1;
  const double factor = schedule.factor({step / unit, steps / unit, evaluations});
  if (step >= common.warmup) return factor;
  const double start = common.warmup_factor.value_or(1 / static_cast<double>(common.warmup + 1));
  return factor * (start + (1 - start) * static_cast<double>(step) / static_cast<double>(common.warmup));
}

}  // namespace sectile
