#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("transpose swaps rows and columns like cv::transpose, with all annotation") {
  const auto swap = make<Transform>(R"({"type": "transpose", "probability": 1})");
  const auto before = annotated();
  const auto after = applied(*swap, before);
  cv::Mat expected;
  cv::transpose(before.image, expected);
  REQUIRE(after.image.size() == expected.size());
  CHECK(cv::norm(after.image, expected, cv::NORM_INF) == 0);
  check_moved_together(before, after);
  const auto twice = applied(*swap, after);
  CHECK(cv::norm(twice.image, before.image, cv::NORM_INF) == 0);
  CHECK(twice.geometry.to_original == cv::Matx44d::eye());
}

TEST_CASE("transpose happens as often as its probability says, and else changes nothing") {
  const auto before = annotated();
  const auto never = make<Transform>(R"({"type": "transpose", "probability": 0})");
  CHECK(applied(*never, before).image.data == before.image.data);
  const auto swap = make<Transform>(R"({"type": "transpose"})");
  int swapped = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) swapped += applied(*swap, before, seed).image.rows == 23;
  CHECK(swapped > 160);
  CHECK(swapped < 240);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "transpose", "probability": 2})"),
                       doctest::Contains("/part/probability: 2 is too large"), sectile::SpecError);
}

TEST_CASE("transpose swaps the rows and columns of each slice of a volume") {
  const int sizes[] = {2, 2, 3};
  sectile::Sample sample;
  sample.image = cv::Mat(3, sizes, CV_16U);
  for (int i = 0; i < 12; ++i) sample.image.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(1000 * i);
  const auto after = applied(*make<Transform>(R"({"type": "transpose", "probability": 1})"), sample);
  REQUIRE(sectile::extent(after.image) == sectile::Extent{2, 3, 2});
  CHECK(after.image.at<std::uint16_t>(0, 2, 0) == 2000);
  CHECK(after.image.at<std::uint16_t>(1, 0, 1) == 9000);
}
