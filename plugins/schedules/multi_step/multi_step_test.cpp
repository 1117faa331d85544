#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("multi_step gives the factors of torch's MultiStepLR") { check_factors("multi_step", 2, 2); }

TEST_CASE("multi_step refuses milestones that descend") {
  CHECK_THROWS_WITH_AS(make<Schedule>(R"({"type": "multi_step", "milestones": [5, 3]})"),
                       doctest::Contains("/part/milestones: are not in ascending order"), SpecError);
}
