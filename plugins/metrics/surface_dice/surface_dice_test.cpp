#include "parity/metrics/surface_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("surface Dice equals scipy's distances, which equal MONAI's, in 200 random cases") {
  compare_with_surface_cases("surface_dice");
}

TEST_CASE("surface Dice counts surface pixels within the tolerance, in millimetres") {
  const auto value = [&](const std::string& more, const cv::Vec3d& spacing = {1, 1, 1}) {
    const auto metric = make<Metric>("{\"type\": \"surface_dice\"" + more + "}", context(2));
    Truth truth{.labels = drawn_map({"10000"})};
    truth.sample.geometry.spacing = spacing;
    metric->update({.labels = drawn_map({"10010"})}, truth);  // distances 0, 3 and 0
    return metric->compute().values.front().value;
  };
  CHECK(value(R"(, "include": ["1"], "tolerance": 2.9)") == doctest::Approx(2. / 3));
  CHECK(value(R"(, "include": ["1"], "tolerance": 3)") == 1);
  CHECK(value(R"(, "include": ["1"], "tolerance": 3)", {2, 1, 1}) == doctest::Approx(2. / 3));
  CHECK(value(R"(, "include": ["1"], "tolerance": 3, "spacing": [1, 1])", {2, 1, 1}) == 1);
  CHECK(value(R"(, "include": ["1"], "tolerance": 0.3)", {0.1, 1, 1}) == 1);  // three pixels, but for rounding
}

TEST_CASE("surface Dice of a missed class is 0") {
  const auto metric = make<Metric>(R"({"type": "surface_dice"})", context(2));
  metric->update({.labels = drawn_map({"00"})}, {.labels = drawn_map({"01"})});
  CHECK(metric->compute().per_class[1] == std::vector<double>{0, 1});
}

TEST_CASE("surface_dice refuses options and labels that make no sense") {
  check_surface_metric("surface_dice");
  CHECK_THROWS_AS(make<Metric>(R"({"type": "surface_dice", "tolerance": -1})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "surface_dice", "spacing": [1]})", context(2)), SpecError);
}
