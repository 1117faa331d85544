#include "parity/metric_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("IoU, accuracy and precision per class and their mean equal torchmetrics'") {
  compare_metric("iou", [](const nlohmann::json& expected, const MetricReport& report) {
    REQUIRE(report.values.front().name == "mIoU");
    check_close(report.values.front().value, expected["miou"]);
    REQUIRE(report.per_class.size() == expected["per_class"].size());
    for (std::size_t c = 0; c < report.per_class.size(); ++c)
      for (std::size_t column = 0; column < report.columns.size(); ++column)
        check_close(report.per_class[c][column], expected["per_class"][c][column]);
  });
}

TEST_CASE("IoU names the image whose prediction has a class number that does not exist") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::full({2, 2}, 2, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::zeros({2, 2}, at::kLong)}),
                       "a.png: has a class number outside 0..1: truth 0, prediction 2", DataError);
}

TEST_CASE("IoU refuses a prediction of another size than the truth and says both sizes") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::zeros({2, 3}, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::zeros({4, 5}, at::kLong)}),
                       "a.png: prediction and truth do not fit: class numbers of 2 3 and class numbers of 4 5",
                       DataError);
}

TEST_CASE("IoU of a volume is that of its pixels") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(2));
  const auto truth = at::tensor({0, 0, 0, 1, 1, 1, 1, kIgnore}, at::kLong).view({2, 2, 2});
  const auto labels = at::tensor({0, 0, 1, 1, 1, 1, 0, 0}, at::kLong).view({2, 2, 2});
  metric->update({.labels = labels}, {.labels = truth});
  CHECK(metric->compute().values.front().value == doctest::Approx((2.0 / 4 + 3.0 / 5) / 2));
}

TEST_CASE("IoU of a binary mask counts its one class, and not what is ignored") {
  const auto metric = make<Metric>(R"({"type": "iou"})", context(1, 3, /*overlapping=*/true));
  const auto truth = at::tensor({1.f, 0.f, 1.f, static_cast<float>(kIgnore)}).view({1, 2, 2});
  const auto labels = at::tensor({1, 1, 0, 1}, at::kLong).to(at::kBool).view({1, 2, 2});
  metric->update({.labels = labels}, {.labels = truth});
  const auto report = metric->compute();
  CHECK(report.values.front().value == doctest::Approx(1.0 / 3));
  CHECK(report.per_class.front() == std::vector<double>{1.0 / 3, 0.5, 0.5, 2});
}
