#include <sectile/dataset.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using test::make;

TEST_CASE("repeat brings the whole order again") {
  const auto data =
      make<Dataset>(R"({"type": "repeat", "times": 3, "dataset": {"type": "synthetic", "count": 2, "seed": 4}})");
  REQUIRE(data->size() == 6);
  const auto once = make<Dataset>(R"({"type": "synthetic", "count": 2, "seed": 4})");
  for (std::size_t i = 0; i < 6; ++i) {
    CHECK(data->id_of(i) == "4-" + std::to_string(i % 2));
    CHECK(data->read(i).id == data->id_of(i));
    CHECK(data->classes_of(i) == once->classes_of(i % 2));
  }
  CHECK(data->labels().classes.size() == once->labels().classes.size());
  CHECK_THROWS_AS(data->read(6), std::out_of_range);
}

TEST_CASE("repeat needs to know what and how often") {
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "repeat"})"), doctest::Contains("option \"times\" is missing"),
                       SpecError);
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "repeat", "times": 0, "dataset": {"type": "synthetic"}})"),
                       doctest::Contains("/part/times: 0 is too small"), SpecError);
  CHECK_THROWS_WITH_AS(make<Dataset>(R"({"type": "repeat", "times": 1, "dataset": "synthetic"})"),
                       doctest::Contains("/part/dataset: expected object"), SpecError);
}
