// What every schedule's test does: the factors of schedules.py, at every step.
#pragma once

#include <cmath>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>

#include <sectile/schedule.h>

#include "ground/learning_rate.h"
#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

inline Json schedule_cases(const std::string& part, const std::string& type) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/schedules.json");
  const auto all = Json::parse(file);
  Json cases = Json::array();
  for (const auto& one : all[part])
    if (one["spec"]["type"] == type) cases.push_back(one);
  return cases;
}

inline bool agree(double found, double wanted) { return std::abs(found - wanted) <= 1e-12 * std::abs(wanted); }

// Without and with warm-up; every step of an epoch has the epoch's factor where the spec goes by epochs.
inline void check_factors(const std::string& type, std::size_t count, std::size_t warm_count) {
  const auto cases = schedule_cases("steps", type), warm = schedule_cases("warmup", type);
  REQUIRE(cases.size() == count);
  REQUIRE(warm.size() == warm_count);
  for (const auto* part : {&cases, &warm})
    for (const auto& expected : *part) {
      CAPTURE(expected["spec"].dump());
      struct {
        Ref<Schedule> part;
        void declare(Options& options) { options.add("part", &part, "The schedule.").required(); }
      } holder;
      SpecFile file;
      file.json = {{"part", expected["spec"]}};
      SpecReader{plugins(), file}.read(&holder, kValueType<decltype(holder)>);
      const auto schedule = holder.part.build({});
      auto common = holder.part.common();
      const auto factors = expected["factors"].get<std::vector<double>>();
      const auto total = static_cast<std::int64_t>(factors.size());
      for (std::int64_t step = 0; step < total; ++step) {
        CAPTURE(step);
        const double wanted = factors[static_cast<std::size_t>(step)];
        CHECK(agree(learning_rate_factor(*schedule, common, step, total, 5, {}), wanted));
        if (part == &warm) continue;
        CHECK(agree(schedule->factor({step, total, {}}), wanted));
        common.by = Kind<Schedule>::Common::By::epoch;
        for (std::int64_t within = 0; within < 5; ++within)
          CHECK(agree(learning_rate_factor(*schedule, common, 5 * step + within, 5 * total, 5, {}), wanted));
        common.by = Kind<Schedule>::Common::By::step;
      }
    }
}

}  // namespace sectile::test
