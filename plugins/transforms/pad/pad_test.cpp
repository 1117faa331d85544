#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("pad reaches a least size and a multiple, where it is told to, with all annotation") {
  const auto before = annotated();
  struct Expected {
    const char* json;
    cv::Size size;
    cv::Point corner;  // of the image in the result
  };
  for (const auto& [json, size, corner] :
       {Expected{R"({"type": "pad", "divisor": 8, "fill": 3})", {24, 24}, {0, 0}},
        Expected{R"({"type": "pad", "size": [40, 10], "position": "end"})", {23, 40}, {0, 23}},
        Expected{R"({"type": "pad", "size": [18, 30], "divisor": 16, "position": "center"})", {32, 32}, {4, 7}}}) {
    CAPTURE(std::string(json));
    const auto after = applied(*make<Transform>(json), before);
    CHECK(after.image.size() == size);
    CHECK(sectile::test::source(after, 0, 0) == -corner);
    CHECK(cv::countNonZero(after.labels == sectile::kIgnore) == size.area() - 23 * 17);
    check_moved_together(before, after);
  }
  CHECK(applied(*make<Transform>(R"({"type": "pad", "divisor": 8, "fill": 3})"), before).image.at<cv::Vec3b>(23, 23) ==
        cv::Vec3b(3, 3, 3));
}

TEST_CASE("pad by itself reaches a multiple of 32") {
  const auto after = applied(*make<Transform>(R"({"type": "pad"})"), annotated());
  CHECK(after.image.size() == cv::Size(32, 32));
}

TEST_CASE("pad fills each channel and the labels with what it is told") {
  sectile::BuildContext context;
  auto labels = std::make_shared<sectile::LabelMap>();
  for (const char* name : {"sky", "road", "car", "tree"}) labels->classes.push_back({.name = name});
  context.labels = labels;
  const auto pad = make<Transform>(R"({"type": "pad", "divisor": 8, "fill": [1, 2, 3], "label_fill": "car"})", context);
  const auto after = applied(*pad, annotated());
  CHECK(after.image.at<cv::Vec3b>(23, 23) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(23, 23) == 2);
  CHECK_THROWS_WITH_AS(
      applied(*make<Transform>(R"({"type": "pad", "fill": [1, 2]})"), annotated()),
      doctest::Contains("annotated: has 3 channels, and \"fill\" 2 values: give one for all, or one for each"),
      sectile::DataError);
  CHECK_THROWS_WITH_AS(
      make<Transform>(R"({"type": "pad", "label_fill": "raod"})", context),
      doctest::Contains("/part/label_fill: names the class \"raod\", which the data does not have, did "
                        "you mean \"road\"?"),
      sectile::SpecError);
}
