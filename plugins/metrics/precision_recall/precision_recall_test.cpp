#include "parity/metrics/counting_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("precision, recall and F-score follow mmsegmentation's mFscore in 200 random cases, with three betas") {
  compare_with_counting_cases("precision_recall");
}

TEST_CASE("an F-score is undefined where precision and recall are 0 or one of them is undefined") {
  const auto metric = make<Metric>(R"({"type": "precision_recall"})", context(4));
  metric->update({.labels = at::tensor({0, 2, 1, 0}, at::kLong).view({2, 2})},
                 {.labels = at::tensor({0, 1, 2, 0}, at::kLong).view({2, 2})});
  const auto report = metric->compute();
  CHECK(report.per_class[0] == std::vector<double>{1, 1, 1, 2, 2});
  CHECK(std::isnan(report.per_class[1][0]));  // precision 0, recall 0
  CHECK(report.per_class[1][1] == 0);
  CHECK(std::isnan(report.per_class[3][0]));  // neither in the truth nor predicted
  CHECK(std::isnan(report.per_class[3][1]));
  CHECK(report.values[0].value == 1);
  CHECK(report.values[1].value == doctest::Approx(1. / 3));
}

TEST_CASE("beta moves the F-score from precision to recall, and has a range") {
  const auto with = [](const std::string& beta) {
    const auto metric = make<Metric>(R"({"type": "precision_recall", "beta": )" + beta + "}", context(2));
    metric->update({.labels = at::tensor({1, 1, 1, 1}, at::kLong).view({2, 2})},
                   {.labels = at::tensor({1, 0, 0, 0}, at::kLong).view({2, 2})});
    return metric->compute().per_class[1][0];  // precision 1/4, recall 1
  };
  CHECK(with("0.001") == doctest::Approx(0.25));
  CHECK(with("1") == doctest::Approx(0.4));
  CHECK(with("1000") == doctest::Approx(1));
  CHECK_THROWS_AS(with("0"), SpecError);
  CHECK_THROWS_AS(with("1e4"), SpecError);
}
