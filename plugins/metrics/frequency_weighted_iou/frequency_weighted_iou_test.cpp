#include "parity/metrics/counting_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("frequency weighted IoU equals the formula of the FCN paper in 200 random cases") {
  compare_with_counting_cases("frequency_weighted_iou");
}

TEST_CASE("frequency weighted IoU weighs classes by their true pixels, and not those that are only predicted") {
  const auto metric = make<Metric>(R"({"type": "frequency_weighted_iou"})", context(3));
  metric->update({.labels = at::tensor({0, 0, 1, 2}, at::kLong).view({2, 2})},
                 {.labels = at::tensor({0, 0, 0, 1}, at::kLong).view({2, 2})});
  const auto report = metric->compute();
  CHECK(report.values.front().name == "fwIoU");
  CHECK(report.values.front().value == doctest::Approx(0.75 * 2 / 3));
  CHECK(report.per_class[2] == std::vector<double>{0, 0, 0});
}

TEST_CASE("frequency weighted IoU of nothing is undefined") {
  const auto metric = make<Metric>(R"({"type": "frequency_weighted_iou"})", context(2));
  metric->update({.labels = at::zeros({2, 2}, at::kLong)}, {.labels = at::full({2, 2}, kIgnore, at::kLong)});
  metric->update({.labels = at::zeros({0, 5}, at::kLong)}, {.labels = at::zeros({0, 5}, at::kLong)});
  CHECK(std::isnan(metric->compute().values.front().value));
}
