#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("step gives the factors of torch's StepLR") { check_factors("step", 3, 2); }

TEST_CASE("step refuses a step size of 0") {
  CHECK_THROWS_WITH_AS(make<Schedule>(R"({"type": "step", "step_size": 0})"), doctest::Contains("/part/step_size"),
                       SpecError);
}

TEST_CASE("step refuses to be without a step size") {
  CHECK_THROWS_WITH_AS(make<Schedule>(R"({"type": "step"})"), doctest::Contains("option \"step_size\" is missing"),
                       SpecError);
}
