#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("horizontal_flip exchanges left and right, with all annotation") {
  const auto flip = make<Transform>(R"({"type": "horizontal_flip", "probability": 1})");
  const auto before = annotated();
  const auto after = applied(*flip, before);
  CHECK(after.labels.at<std::int16_t>(1, 22 - 2) == 1);
  check_moved_together(before, after);
  const auto twice = applied(*flip, after);
  CHECK(cv::norm(twice.image, before.image, cv::NORM_INF) == 0);
  CHECK(twice.geometry.to_original == cv::Matx44d::eye());
}

TEST_CASE("horizontal_flip happens as often as its probability says, and else changes nothing") {
  const auto flip = make<Transform>(R"({"type": "horizontal_flip", "probability": 0.25})");
  const auto before = annotated();
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto after = applied(*flip, before, seed);
    flipped += after.geometry.to_original != cv::Matx44d::eye();
    if (after.geometry.to_original == cv::Matx44d::eye()) CHECK(after.image.data == before.image.data);
  }
  CHECK(flipped > 420);
  CHECK(flipped < 580);
}
