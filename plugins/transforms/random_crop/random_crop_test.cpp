#include <set>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("random_crop cuts every place of the image alike, with all annotation") {
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [10, 20]})");
  const auto before = annotated();
  int corners[4][8] = {};
  for (std::uint64_t seed = 0; seed < 800; ++seed) {
    const auto after = applied(*crop, before, seed);
    REQUIRE(after.image.size() == cv::Size(20, 10));
    if (seed < 20) check_moved_together(before, after);
    const cv::Point at = sectile::test::source(after, 0, 0);
    ++corners[at.x][at.y];
  }
  for (const auto& row : corners)
    for (const int times : row) CHECK(times > 8);  // of 25
}

TEST_CASE("random_crop pads what is smaller, at a random place, with fill and ignored labels") {
  const auto crop = make<Transform>(R"({"type": "random_crop", "size": [30, 20], "fill": 9})");
  const auto before = annotated();
  std::set<int> tops;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto after = applied(*crop, before, seed);
    check_moved_together(before, after);
    const int top = -sectile::test::source(after, 0, 0).y;
    tops.insert(top);
    CHECK(top >= 0);
    CHECK(cv::countNonZero(after.labels == sectile::kIgnore) == 13 * 20);
    CHECK(after.image.at<cv::Vec3b>(top > 0 ? 0 : 29, 0) == cv::Vec3b(9, 9, 9));
  }
  CHECK(tops.size() == 14);
}

TEST_CASE("random_crop looks for a window in which no class has more than its share") {
  sectile::Sample sample;
  sample.image = cv::Mat(10, 200, CV_8U, 0.0);
  sample.labels = cv::Mat(10, 200, CV_16S, cv::Scalar(0));
  sample.labels(cv::Rect(150, 0, 50, 10)).setTo(1);
  const auto share_of_mixed = [&](const char* json) {
    const auto crop = make<Transform>(json);
    int mixed = 0;
    for (std::uint64_t seed = 0; seed < 300; ++seed) {
      const auto after = applied(*crop, sample, seed);
      const int ones = cv::countNonZero(after.labels == 1);
      mixed += ones >= 100 && ones <= 300;
    }
    return mixed;
  };
  CHECK(share_of_mixed(R"({"type": "random_crop", "size": [10, 40]})") < 75);
  CHECK(share_of_mixed(R"({"type": "random_crop", "size": [10, 40], "category_max_ratio": 0.76})") > 200);
}

TEST_CASE("random_crop refuses a size that is neither of an image nor of a volume") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "random_crop", "size": [30]})"),
                       doctest::Contains("/part/size: has 1 values"), sectile::SpecError);
  const auto deep = make<Transform>(R"({"type": "random_crop", "size": [2, 3, 4]})");
  CHECK_THROWS_WITH_AS(applied(*deep, annotated()), doctest::Contains("annotated: is an image"), sectile::DataError);
  sectile::Sample volume;
  const int sizes[] = {5, 6, 7};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  CHECK(sectile::extent(applied(*deep, volume).image) == sectile::Extent{2, 3, 4});
}

TEST_CASE("random_crop fills each channel and the labels with what it is told") {
  sectile::BuildContext context;
  auto labels = std::make_shared<sectile::LabelMap>();
  labels->classes = {{.name = "sky"}, {.name = "road"}};
  context.labels = labels;
  const auto crop =
      make<Transform>(R"({"type": "random_crop", "size": [17, 40], "fill": [1, 2, 3], "label_fill": "road"})", context);
  const auto after = applied(*crop, annotated());
  const bool at_left = sectile::test::source(after, 0, 0).x < 0;
  CHECK(after.image.at<cv::Vec3b>(0, at_left ? 0 : 39) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(0, at_left ? 0 : 39) == 1);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "random_crop", "label_fill": "raod"})", context),
                       doctest::Contains("/part/label_fill: names the class \"raod\""), sectile::SpecError);
}

TEST_CASE("random_crop looks at labels only where a class may have too large a share") {
  const auto looks = [](const char* json) {
    return std::dynamic_pointer_cast<sectile::GeometricTransform>(make<Transform>(json))->looks_at_pixels();
  };
  CHECK_FALSE(looks(R"({"type": "random_crop"})"));
  CHECK(looks(R"({"type": "random_crop", "category_max_ratio": 0.75})"));
}
