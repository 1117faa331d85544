#include "parity/metrics/counting_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// Rows of digits; '.' is ignored.
at::Tensor drawn_labels(const std::vector<std::string>& rows) {
  auto made = at::empty({static_cast<std::int64_t>(rows.size()), static_cast<std::int64_t>(rows[0].size())}, at::kLong);
  auto* to = made.data_ptr<std::int64_t>();
  for (const auto& row : rows)
    for (const char one : row) *to++ = one == '.' ? kIgnore : one - '0';
  return made;
}

std::vector<double> of_class_1(const std::vector<std::string>& prediction, const std::vector<std::string>& truth) {
  const auto metric = make<Metric>(R"({"type": "small_object_iou", "small_below": 3, "large_from": 5})", context(2));
  metric->update({.labels = drawn_labels(prediction)}, {.labels = drawn_labels(truth)});
  return metric->compute().per_class[1];
}

}  // namespace

TEST_CASE("IoU by size of objects equals a rule written with scipy's components in 200 random cases") {
  compare_with_counting_cases("small_object_iou");
}

TEST_CASE("objects touch at corners, and their ranges are below the first limit, and from the second one on") {
  const auto row = of_class_1({"1000011", "0000011", "0000010"}, {"1000011", "0100011", "0000010"});
  CHECK(row[0] == 0.5);  // two pixels, one found
  CHECK(row[2] == 1);
  CHECK(row[5] == 0);  // medium objects
  CHECK(std::isnan(row[3]));
  CHECK(row[6] == 1);
  CHECK(row[8] == 1);
}

TEST_CASE("false positives belong to the object that is covered most, and alone to their own size") {
  // One guess of 7 pixels covers 1 of the small object and 3 of the medium one.
  auto row = of_class_1({"1111111"}, {"1000111"});
  CHECK(row[0] == 1);
  CHECK(row[3] == 0.5);
  row = of_class_1({"1111110"}, {"1100111"});  // 2 pixels of each: the first object
  CHECK(row[0] == 0.5);
  CHECK(row[3] == 2. / 3);
  row = of_class_1({"1001100"}, {"0000000"});  // 1 and 2 pixels, no object
  CHECK(row[0] == 0);
  CHECK(std::isnan(row[1]));
  CHECK(std::isnan(row[3]));
  row = of_class_1({"1111000"}, {"0000000"});
  CHECK(std::isnan(row[0]));
  CHECK(row[3] == 0);
}

TEST_CASE("ignored pixels leave objects and guesses before they are measured") {
  const auto row = of_class_1({"1111111"}, {"11.1111"});  // objects of 2 and 4 pixels
  CHECK(std::vector<double>(row.begin(), row.begin() + 6) == std::vector<double>{1, 1, 1, 1, 1, 1});
  CHECK(std::isnan(row[6]));
  CHECK(row[8] == 0);
}

TEST_CASE("voxels that touch at corners are one object") {
  const auto metric = make<Metric>(R"({"type": "small_object_iou", "small_below": 3, "large_from": 5})", context(2));
  const auto truth = at::tensor({1, 0, 0, 0, 0, 0, 0, 1}, at::kLong).view({2, 2, 2});
  metric->update({.labels = truth}, {.labels = truth});
  CHECK(metric->compute().per_class[1][2] == 1);
}

TEST_CASE("small_object_iou of COCO's ranges, of nothing, and of bad options and labels") {
  auto metric = make<Metric>(R"({"type": "small_object_iou"})", context(1));
  for (const std::int64_t side : {31, 32, 95, 96})
    metric->update({.labels = at::zeros({side, side}, at::kLong)}, {.labels = at::zeros({side, side}, at::kLong)});
  const auto row = metric->compute().per_class.front();
  CHECK(row[2] == 1);
  CHECK(row[5] == 2);
  CHECK(row[8] == 1);
  metric = make<Metric>(R"({"type": "small_object_iou"})", context(2));
  metric->update({.labels = at::zeros({0, 3}, at::kLong)}, {.labels = at::zeros({0, 3}, at::kLong)});
  for (const auto& value : metric->compute().values) CHECK(std::isnan(value.value));
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.png", .labels = at::full({1, 1}, 2, at::kLong)},
                                      {.labels = at::zeros({1, 1}, at::kLong)}),
                       "a.png: has a class number outside 0..1: truth 0, prediction 2", DataError);
  CHECK_THROWS_WITH_AS(
      metric->update({.id = "a.png", .labels = at::zeros({1, 2}, at::kLong)}, {.labels = at::zeros({1, 1}, at::kLong)}),
      doctest::Contains("do not fit"), DataError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "small_object_iou", "large_from": 1000})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Metric>(R"({"type": "small_object_iou", "small_below": 0})", context(2)), SpecError);
}
