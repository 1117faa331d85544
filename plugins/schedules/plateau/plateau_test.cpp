#include "parity/schedule_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("plateau gives the factors of torch's ReduceLROnPlateau after every evaluation") {
  const auto cases = schedule_cases("plateau", "plateau");
  REQUIRE(cases.size() == 18);
  for (const auto& expected : cases) {
    CAPTURE(expected.dump());
    const auto schedule = make<Schedule>(expected["spec"].dump());
    SchedulePoint at{0, 100, {}};
    for (std::size_t known = 0;; ++known) {
      CHECK(agree(schedule->factor(at), expected["factors"][known]));
      if (known == expected["evaluations"].size()) break;
      const auto& value = expected["evaluations"][known];
      at.evaluations.push_back(value.is_number() ? value.get<double>()
                               : value == "NaN"  ? std::numeric_limits<double>::quiet_NaN()
                                                 : std::numeric_limits<double>::infinity());
      ++at.step;
    }
  }
}

TEST_CASE("plateau refuses a factor that lowers nothing") {
  CHECK_THROWS_WITH_AS(make<Schedule>(R"({"type": "plateau", "factor": 1})"), doctest::Contains("/part/factor: is 1"),
                       SpecError);
}
