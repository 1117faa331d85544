#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("rotate90 turns by one, two or three quarters like numpy.rot90, with all annotation") {
  const auto turn = make<Transform>(R"({"type": "rotate90", "probability": 1})");
  const auto before = annotated();
  int seen[3] = {0, 0, 0};
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto after = applied(*turn, before, seed);
    check_moved_together(before, after);
    for (int quarters = 1; quarters <= 3; ++quarters) {
      cv::Mat wanted;  // numpy.rot90(m, k): counter-clockwise
      cv::rotate(before.image, wanted,
                 quarters == 1   ? cv::ROTATE_90_COUNTERCLOCKWISE
                 : quarters == 2 ? cv::ROTATE_180
                                 : cv::ROTATE_90_CLOCKWISE);
      if (wanted.size() == after.image.size()) seen[quarters - 1] += cv::norm(wanted, after.image, cv::NORM_INF) == 0;
    }
  }
  CHECK(seen[0] + seen[1] + seen[2] == 60);
  for (const int times : seen) CHECK(times > 8);
}

TEST_CASE("rotate90 turns a volume in the plane of height and width") {
  const int sizes[] = {2, 2, 3};
  sectile::Sample sample;
  sample.image = cv::Mat(3, sizes, CV_8U);
  for (int i = 0; i < 12; ++i) sample.image.data[i] = static_cast<std::uint8_t>(i);
  const auto turn = make<Transform>(R"({"type": "rotate90", "probability": 1})");
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = applied(*turn, sample, seed);
    if (sectile::extent(after.image) == sectile::Extent{2, 3, 2} && after.image.at<std::uint8_t>(0, 0, 0) == 2) {
      CHECK(after.image.at<std::uint8_t>(1, 0, 0) == 8);  // numpy.rot90(v, 1, (1, 2))
      CHECK(after.image.at<std::uint8_t>(1, 2, 1) == 9);
      return;
    }
  }
  FAIL("no quarter turn was drawn");
}

TEST_CASE("rotate90 happens as often as its probability says, in half of all cases by default") {
  const auto before = annotated();
  for (const auto& [json, expected] : {std::pair<const char*, int>(R"({"type": "rotate90"})", 500),
                                       {R"({"type": "rotate90", "probability": 0.25})", 250},
                                       {R"({"type": "rotate90", "probability": 0})", 0}}) {
    const auto turn = make<Transform>(json);
    int turned = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed)
      turned += applied(*turn, before, seed).geometry.to_original != cv::Matx44d::eye();
    CHECK(std::abs(turned - expected) <= 60);
    if (expected == 0) CHECK(turned == 0);
  }
}
