#include "parity/metrics/surface_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("boundary F1 equals a formula over all pairs of boundary pixels in 200 random cases") {
  compare_with_surface_cases("boundary_f1");
}

TEST_CASE("boundary F1 is of precision and recall within a share of the diagonal") {
  const auto row = [](const std::string& tolerance) {
    const auto metric = make<Metric>(R"({"type": "boundary_f1", "tolerance": )" + tolerance + "}", context(2));
    auto truth = at::zeros({3, 4}, at::kLong), prediction = truth.clone();  // the diagonal has 5 pixels
    truth[0][0] = 1, truth[0][1] = 1, prediction[0][1] = 1, prediction[2][3] = 1;
    metric->update({.labels = prediction}, {.labels = truth});
    return metric->compute().per_class[1];
  };
  CHECK(row("0") == std::vector<double>{0.5, 0.5, 0.5, 1});
  CHECK(row("0.19") == std::vector<double>{0.5, 0.5, 0.5, 1});
  CHECK(row("0.2") == std::vector<double>{2. / 3, 0.5, 1, 1});  // a pixel away
  CHECK(row("0.6") == std::vector<double>{1, 1, 1, 1});
}

TEST_CASE("boundary F1 is a mean over the images whose truth has the class; 0 where the prediction lacks it") {
  const auto metric = make<Metric>(R"({"type": "boundary_f1"})", context(2));
  const auto with = drawn_map({"0110"}), without = drawn_map({"0000"});
  metric->update({.labels = with}, {.labels = with});
  metric->update({.labels = without}, {.labels = with});
  metric->update({.labels = with}, {.labels = without});
  metric->update({.labels = with}, {.labels = drawn_map({"...."})});
  CHECK(metric->compute().per_class[1] == std::vector<double>{0.5, 0.5, 0.5, 2});
}

TEST_CASE("boundary_f1 refuses options and labels that make no sense") {
  check_surface_metric("boundary_f1");
  CHECK_THROWS_AS(make<Metric>(R"({"type": "boundary_f1", "tolerance": -0.1})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "boundary_f1", "tolerance": 2})", context(2)), SpecError);
}
