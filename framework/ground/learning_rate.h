// The learning rate of a step, out of the schedule and what all schedules have in common.
#pragma once

#include <sectile/schedule.h>

namespace sectile {

// What the optimizer's lr is multiplied with in step 0 … steps - 1: the schedule's factor, times a rise from
// warmup_factor to 1 over the first `warmup` steps, as torch's ChainedScheduler of LinearLR and the schedule has it.
// evaluations: as in SchedulePoint.
double learning_rate_factor(const Schedule& schedule, const Kind<Schedule>::Common& common, std::int64_t step,
                            std::int64_t steps, std::int64_t steps_per_epoch, const std::vector<double>& evaluations);

}  // namespace sectile
