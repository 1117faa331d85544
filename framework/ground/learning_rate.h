// The learning rate of a step, from the schedule and the options common to all schedules.
#pragma once

#include <sectile/schedule.h>

namespace sectile {

// Factor of the optimizer's lr in step 0 … steps - 1: the schedule's factor, times a linear warmup from warmup_factor
// to 1 over the first `warmup` steps, as in torch's ChainedScheduler of LinearLR and the schedule. evaluations and
// higher_is_better: as in SchedulePoint.
double learning_rate_factor(const Schedule& schedule, const Kind<Schedule>::Common& common, std::int64_t step,
                            std::int64_t steps, std::int64_t steps_per_epoch, const std::vector<double>& evaluations,
                            bool higher_is_better = true);

}  // namespace sectile
