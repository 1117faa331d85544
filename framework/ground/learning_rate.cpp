#include "learning_rate.h"

namespace sectile {
namespace {

double rise(const Kind<Schedule>::Common& common, std::int64_t step) {
  if (step >= common.warmup) return 1;
  const auto length = static_cast<double>(common.warmup);
  const double first = common.warmup_factor.value_or(1 / (length + 1));
  return first + (1 - first) * static_cast<double>(step) / length;
}

}  // namespace

double learning_rate_factor(const Schedule& schedule, const Kind<Schedule>::Common& common, std::int64_t step,
                            std::int64_t steps, std::int64_t steps_per_epoch, const std::vector<double>& evaluations,
                            bool higher_is_better) {
  const auto unit = common.by == Kind<Schedule>::Common::By::epoch ? steps_per_epoch : 1;
  const SchedulePoint at{step / unit, (steps + unit - 1) / unit, evaluations, higher_is_better};
  return schedule.factor(at) * rise(common, step);
}

}  // namespace sectile
