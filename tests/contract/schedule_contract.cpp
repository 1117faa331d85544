// Schedules: a pure function from steps to 0..1.
#include <cmath>

#include <sectile/schedule.h>

#include "contract.h"

namespace sectile::contract {

Findings schedule_contract(const Subject& subject) {
  Findings findings;
  const auto schedule = build<Schedule>(subject, {});
  if (!schedule) return findings;
  for (const std::int64_t total : {1, 2, 7, 1000})
    for (std::int64_t step = 0; step < total; ++step) {
      const double factor = schedule->factor(step, total);
      const auto where = "step " + std::to_string(step) + " of " + std::to_string(total);
      findings.expect(std::isfinite(factor) && factor >= 0 && factor <= 1,
                      where + " gives " + std::to_string(factor) + ", which is outside 0..1");
      findings.expect(schedule->factor(step, total) == factor, where + " gives another factor when asked again");
    }
  return findings;
}

}  // namespace sectile::contract
