#include "parity/metrics/region_presets.h"

using namespace sectile;
using namespace sectile::test;

namespace {

double mdice_of(const std::string& options, const std::vector<std::pair<at::Tensor, at::Tensor>>& pairs) {
  const auto metric = make<Metric>(R"({"type": "dice")" + options + "}", context(1, 3, /*overlapping=*/true));
  for (const auto& [prediction, truth] : pairs) metric->update({.labels = prediction == 1}, {.labels = truth});
  return metric->compute().values.front().value;
}

}  // namespace

TEST_CASE("Dice by the rules of seven packages equals theirs in 200 random cases each, in any order of images") {
  compare_with_region_presets("dice");
}

TEST_CASE("Dice of class numbers is named mDice and has one row per class") {
  const auto metric = make<Metric>(R"({"type": "dice"})", context(3));
  metric->update({.labels = at::tensor({0, 0, 1, 1}, at::kLong).view({2, 2})},
                 {.labels = at::tensor({0, 0, 0, 1}, at::kLong).view({2, 2})});
  const auto report = metric->compute();
  CHECK(report.values.front().name == "mDice");
  CHECK(report.columns == std::vector<std::string>{"Dice", "accuracy", "precision", "pixels"});
  CHECK(report.values.front().value == doctest::Approx((0.8 + 2.0 / 3) / 2));
  CHECK(report.per_class.size() == 3);
  CHECK(report.convention.find("Dice = 2 TP / (2 TP + FP + FN)") == 0);
}

// Two empty masks are 0 / 0: packages say undefined or 1, and a false alarm on an empty truth is undefined or 0.
// Whoever compares two numbers has to know which.
TEST_CASE("Dice of empty masks follows each package") {
  const auto empty = at::zeros({1, 4, 4}), square = at::zeros({1, 4, 4});
  square.slice(1, 1, 3).slice(2, 1, 3).fill_(1);
  const std::string monai = R"(, "preset": "monai")",
                    counted = R"(, "preset": "monai", "absent": "one", )"
                              R"("false_alarm": "zero")",
                    micro = R"(, "preset": "smp")", macro = R"(, "preset": "smp", "reduction": "macro")";
  const auto per_class = [&](const std::string& options, const at::Tensor& prediction, const at::Tensor& truth) {
    const auto metric = make<Metric>(R"({"type": "dice")" + options + "}", context(1, 3, true));
    metric->update({.labels = prediction == 1}, {.labels = truth});
    return metric->compute().per_class.front().front();
  };
  CHECK(std::isnan(per_class(monai, empty, empty)));
  CHECK(per_class(counted, empty, empty) == 1);
  CHECK(std::isnan(mdice_of(micro, {{empty, empty}})));
  CHECK(mdice_of(macro, {{empty, empty}}) == 1);
  CHECK(std::isnan(mdice_of(R"(, "preset": "nnunet")", {{empty, empty}})));
  CHECK(mdice_of(R"(, "preset": "paddleseg")", {{empty, empty}}) == 0);

  CHECK(std::isnan(per_class(monai, square, empty)));
  for (const auto& options : {counted, micro, macro, std::string(R"(, "preset": "nnunet")")})
    CHECK(mdice_of(options, {{square, empty}}) == 0);
  for (const auto& options : {monai, counted, micro, macro}) {
    CHECK(mdice_of(options, {{empty, square}}) == 0);
    CHECK(mdice_of(options, {{square, square}}) == 1);
  }
  CHECK(mdice_of(monai, {{square, square}, {square, empty}}) == 1);  // the false alarm is not seen
  CHECK(mdice_of(counted, {{square, square}, {square, empty}}) == 0.5);
}

TEST_CASE("Dice names the image whose prediction has a class number that does not exist") {
  const auto metric = make<Metric>(R"({"type": "dice", "preset": "nnunet"})", context(2));
  const Prediction prediction{.id = "a.png", .labels = at::full({2, 2}, 2, at::kLong)};
  CHECK_THROWS_WITH_AS(metric->update(prediction, {.labels = at::zeros({2, 2}, at::kLong)}),
                       "a.png: has a class number outside 0..1: truth 0, prediction 2", DataError);
}
