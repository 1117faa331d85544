#pragma once

#include <cstdint>
#include <vector>

#include <sectile/schedule.h>

namespace sectile {

double learning_rate_factor(const Schedule& schedule, const Kind<Schedule>::Common& common, std::int64_t step,
                            std::int64_t steps, std::int64_t steps_per_epoch, const std::vector<double>& evaluations);

}  // namespace sectile
