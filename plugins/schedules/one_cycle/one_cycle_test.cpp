#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("one_cycle gives the factors of torch's OneCycleLR") { check_factors("one_cycle", 8, 0); }

TEST_CASE("one_cycle refuses a start above the learning rate") {
  CHECK_THROWS_WITH_AS(make<Schedule>(R"({"type": "one_cycle", "div_factor": 0.5})"),
                       doctest::Contains("/part/div_factor"), SpecError);
}

TEST_CASE("one_cycle has a factor where its phases have no length") {
  const auto schedule = make<Schedule>(R"({"type": "one_cycle", "pct_start": 1})");
  CHECK(schedule->factor({0, 1, {}}) == 1);
}
