#include "parity/metrics/surface_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("ASSD equals scipy's distances, which equal MONAI's, in 200 random cases") {
  compare_with_surface_cases("assd");
}

TEST_CASE("ASSD is the mean of all distances, or of the means of both directions") {
  const auto truth = drawn_map({"10000"}), prediction = drawn_map({"10101"});  // distances 0, 2, 4 and 0
  const auto value = [&](const std::string& more, const at::Tensor& found) {
    const auto metric = make<Metric>("{\"type\": \"assd\"" + more + "}", context(2));
    metric->update({.labels = found}, {.labels = truth});
    return metric->compute().per_class[1];
  };
  CHECK(value("", prediction)[0] == 1.5);
  CHECK(value(R"(, "convention": "medpy")", prediction)[0] == 1);
  CHECK(value(R"(, "spacing": [0.5, 9])", prediction)[0] == 0.75);
  const auto empty = at::zeros({1, 5}, at::kLong);
  CHECK(std::isinf(value("", empty)[0]));
  CHECK(std::isnan(value("", empty)[1]));
  CHECK(value(R"(, "penalty": 3)", empty)[0] == 3);
  CHECK(value(R"(, "penalty": 3)", empty)[3] == 1);
}

TEST_CASE("assd refuses options and labels that make no sense") {
  check_surface_metric("assd");
  CHECK_THROWS_AS(make<Metric>(R"({"type": "assd", "convention": "larger"})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "assd", "penalty": -1})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "assd", "spacing": [1]})", context(2)), SpecError);
}
