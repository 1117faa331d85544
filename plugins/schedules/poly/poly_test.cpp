#include <fstream>

#include <nlohmann/json.hpp>

#include <sectile/schedule.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

TEST_CASE("poly gives the factors of torch's PolynomialLR") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/optimizers.json");
  const auto cases = nlohmann::json::parse(file)["poly"];
  REQUIRE(cases.size() == 3);
  for (const auto& expected : cases) {
    const auto schedule = test::make<Schedule>(nlohmann::json{{"type", "poly"}, {"power", expected["power"]}}.dump());
    const auto factors = expected["factors"].get<std::vector<double>>();
    for (std::size_t step = 0; step < factors.size(); ++step)
      CHECK(schedule->factor(static_cast<std::int64_t>(step), expected["total"]) ==
            doctest::Approx(factors[step]).epsilon(1e-12));
  }
}
