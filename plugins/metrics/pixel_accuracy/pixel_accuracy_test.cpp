#include "parity/metric_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("pixel accuracy and mean class accuracy equal torchmetrics'") {
  compare_metric("pixel_accuracy", [](const nlohmann::json& expected, const MetricReport& report) {
    REQUIRE(report.values.size() == 2);
    check_close(report.values[0].value, expected["pixel_accuracy"]);
    check_close(report.values[1].value, expected["mean_accuracy"]);
    for (std::size_t c = 0; c < report.per_class.size(); ++c)
      check_close(report.per_class[c][0], expected["per_class"][c][1]);
  });
}

TEST_CASE("pixel accuracy names the image whose truth has a class number that does not exist") {
  const auto metric = make<Metric>(R"({"type": "pixel_accuracy"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::zeros({2, 2}, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::full({2, 2}, 7, at::kLong)}),
                       "a.png: has a class number outside 0..1: truth 7, prediction 0", DataError);
}
