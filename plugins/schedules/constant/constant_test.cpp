#include <sectile/schedule.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

TEST_CASE("constant leaves the learning rate alone from the first step to the last") {
  const auto schedule = test::make<Schedule>(R"({"type": "constant"})");
  for (std::int64_t step = 0; step < 5; ++step) CHECK(schedule->factor(step, 5) == 1);
}
