#include "parity/metrics/counting_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

std::vector<std::vector<double>> confusion_cells(const std::string& normalize) {
  const auto metric = make<Metric>(R"({"type": "confusion_matrix", "normalize": ")" + normalize + "\"}", context(3));
  metric->update({.labels = at::tensor({0, 1, 1, 1, 0}, at::kLong).view({1, 5})},
                 {.labels = at::tensor({0, 0, 1, 1, -1}, at::kLong).view({1, 5})});
  const auto report = metric->compute();
  REQUIRE(report.tables.size() == 1);
  CHECK(report.tables.front().rows == std::vector<std::string>{"0", "1", "2"});
  return report.tables.front().cells;
}

}  // namespace

TEST_CASE("the confusion matrix, its shares, accuracy and kappa equal numpy's in 200 random cases") {
  compare_with_counting_cases("confusion_matrix");
}

TEST_CASE("the confusion matrix has truth in rows, and shares of rows, columns or all") {
  CHECK(confusion_cells("none") == std::vector<std::vector<double>>{{1, 1, 0}, {0, 2, 0}, {0, 0, 0}});
  CHECK(confusion_cells("truth")[0] == std::vector<double>{0.5, 0.5, 0});
  CHECK(std::isnan(confusion_cells("truth")[2][0]));  // no true pixel
  CHECK(confusion_cells("prediction")[0][1] == doctest::Approx(1. / 3));
  CHECK(std::isnan(confusion_cells("prediction")[0][2]));
  CHECK(confusion_cells("all")[1] == std::vector<double>{0, 0.5, 0});
  CHECK_THROWS_AS(confusion_cells("rows"), SpecError);
}

TEST_CASE("kappa is undefined where chance is always right, and 0 for a prediction that knows nothing") {
  const auto metric = make<Metric>(R"({"type": "confusion_matrix"})", context(2));
  metric->update({.labels = at::zeros({2, 2}, at::kLong)}, {.labels = at::zeros({2, 2}, at::kLong)});
  CHECK(metric->compute().values[0].value == 1);
  CHECK(std::isnan(metric->compute().values[1].value));
  metric->update({.labels = at::zeros({2, 2}, at::kLong)}, {.labels = at::ones({2, 2}, at::kLong)});
  CHECK(metric->compute().values[0].value == 0.5);
  CHECK(metric->compute().values[1].value == 0);
}

TEST_CASE("where classes overlap, each has a confusion matrix of its own") {
  const auto metric = make<Metric>(R"({"type": "confusion_matrix"})", context(1, 3, /*overlapping=*/true));
  metric->update({.labels = at::tensor({1, 1, 0, 0}, at::kLong).to(at::kBool).view({1, 2, 2})},
                 {.labels = at::tensor({1.f, 0.f, 1.f, -1.f}).view({1, 2, 2})});
  const auto table = metric->compute().tables.front();
  CHECK(table.columns == std::vector<std::string>{"TP", "FN", "FP", "TN"});
  CHECK(table.cells.front() == std::vector<double>{1, 1, 1, 0});
}
