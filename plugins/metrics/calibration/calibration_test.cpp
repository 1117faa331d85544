#include "parity/metrics/counting_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("calibration errors equal the formula of Guo et al., and torchmetrics, in 200 random cases") {
  compare_with_counting_cases("calibration");
}

TEST_CASE("a confidence on the border of two bins belongs to the lower one, and 1 to the last one") {
  const auto metric = make<Metric>(R"({"type": "calibration", "bins": 4})", context(2));
  const auto scores = at::tensor({0.5f, 0.75f, 1.f, 0.51f, 0.5f, 0.25f, 0.f, 0.49f}).view({2, 1, 4});
  metric->update({.scores = scores}, {.labels = at::zeros({1, 4}, at::kLong)});
  const auto report = metric->compute();
  const auto& table = report.tables.front();
  CHECK(table.rows.front() == "up to 1/4");
  CHECK(table.cells[0][2] == 0);
  CHECK(std::isnan(table.cells[0][0]));
  CHECK(table.cells[1] == std::vector<double>{0.5, 1, 1});  // of two equal scores, the first class
  CHECK(table.cells[2][2] == 2);
  CHECK(table.cells[3] == std::vector<double>{1, 1, 1});
  CHECK(report.values[0].better == MetricReport::Better::lower);
  CHECK(report.values[1].value == 0.5);
}

TEST_CASE("calibration of nothing is undefined") {
  const auto metric = make<Metric>(R"({"type": "calibration"})", context(2));
  metric->update({.scores = at::full({2, 2, 2}, 0.5)}, {.labels = at::full({2, 2}, kIgnore, at::kLong)});
  metric->update({.scores = at::zeros({2, 0, 2})}, {.labels = at::zeros({0, 2}, at::kLong)});
  for (const auto& value : metric->compute().values) CHECK(std::isnan(value.value));
}

TEST_CASE("calibration refuses what is no probability, no class number or of another size, and bad options") {
  const auto metric = make<Metric>(R"({"type": "calibration"})", context(2));
  const Truth truth{.labels = at::zeros({1, 2}, at::kLong)};
  for (const double score : {-1., 2., std::nan("")})
    CHECK_THROWS_WITH_AS(metric->update({.id = "a.png", .scores = at::full({2, 1, 2}, score)}, truth),
                         doctest::Contains("expected probabilities, 0 to 1"), DataError);
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.png", .scores = at::zeros({2, 1, 3})}, truth),
                       doctest::Contains("expected 2 classes of the same size"), DataError);
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.png", .scores = at::zeros({3, 1, 2})}, truth),
                       doctest::Contains("expected 2 classes of the same size"), DataError);
  CHECK_THROWS_WITH_AS(
      metric->update({.id = "a.png", .scores = at::zeros({2, 1, 2})}, {.labels = at::full({1, 2}, 2, at::kLong)}),
      doctest::Contains("has a class number outside 0..1"), DataError);
  CHECK_THROWS_AS(metric->update({}, truth), PluginError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "calibration", "bins": 0})", context(2)), SpecError);
  const auto other = make<Metric>(R"({"type": "calibration", "bins": 3})", context(2));
  CHECK_THROWS_AS(other->merge(metric->state()), PluginError);
}
