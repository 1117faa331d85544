// Schedules: a pure function from steps and evaluations to 0..1.
#include <cmath>
#include <limits>

#include <sectile/schedule.h>

#include "contract.h"

namespace sectile::contract {

Findings schedule_contract(const Subject& subject) {
  Findings findings;
  const auto schedule = build<Schedule>(subject, {});
  if (!schedule) return findings;
  const double nan = std::numeric_limits<double>::quiet_NaN();
  const std::vector<double> evaluations[] = {{}, {0.5, 0.25, nan, 0.75}, std::vector<double>(100, 0.5)};
  for (const auto& known : evaluations)
    for (const std::int64_t total : {1, 2, 7, 1000})
      for (std::int64_t step = 0; step < total; ++step) {
        const double factor = schedule->factor({step, total, known});
        const auto where = "step " + std::to_string(step) + " of " + std::to_string(total);
        findings.expect(std::isfinite(factor) && factor >= 0 && factor <= 1,
                        where + " gives " + std::to_string(factor) + ", which is outside 0..1");
        findings.expect(schedule->factor({step, total, known}) == factor,
                        where + " gives another factor when asked again");
      }
  return findings;
}

}  // namespace sectile::contract
