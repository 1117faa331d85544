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

TEST_CASE("without a mode, plateau follows the choice of best.pth: a falling error is no reason to lower the rate") {
  const auto schedule = make<Schedule>(R"({"type": "plateau", "patience": 0})");
  const std::vector<double> falling{0.5, 0.4, 0.3};
  CHECK(schedule->factor({.step = 3, .total = 9, .evaluations = falling, .higher_is_better = false}) == 1);
  CHECK(agree(schedule->factor({.step = 3, .total = 9, .evaluations = falling}), 0.01));
  const auto of_its_own = make<Schedule>(R"({"type": "plateau", "patience": 0, "mode": "max"})");
  CHECK(agree(of_its_own->factor({.step = 3, .total = 9, .evaluations = falling, .higher_is_better = false}), 0.01));
}
