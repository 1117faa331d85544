#include <algorithm>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/patterned.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

namespace {

std::shared_ptr<Transform> rotation_by(double angle, nlohmann::json options = {}) {
  options["type"] = "rotate", options["limit"] = {angle, angle}, options["probability"] = 1;
  return make<Transform>(options.dump());
}

}  // namespace

TEST_CASE("rotate gives the pixels and labels of albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("rotate");
  REQUIRE(expected.size() == 6);
  for (const auto& one : expected) {
    CAPTURE(one["angle"].get<double>());
    CAPTURE(one["crop_border"].get<bool>());
    const auto rotate = rotation_by(one["angle"], {{"crop_border", one["crop_border"]}});
    sectile::test::check_as_expected(applied(*rotate, sectile::test::patterned({24, 18})), one);
  }
}

TEST_CASE("rotate makes of a box without a mask what albumentations 2.0.8 makes of it, by each method") {
  for (const auto& one : sectile::test::expected_of_transform("rotate")) {
    CAPTURE(one["angle"].get<double>());
    const auto with_method = [&](const std::string& method) {
      return rotation_by(one["angle"], {{"crop_border", one["crop_border"]}, {"rotate_method", method}});
    };
    sectile::test::check_boxes_as_expected(with_method, one["boxes"]);
  }
}

// The center of pixels' numbers is ((width - 1) / 2, (height - 1) / 2). With half the width and height, results are
// shifted by a pixel: https://github.com/albumentations-team/albumentations/issues/1819
TEST_CASE("rotate by a right angle moves whole pixels, for sides of even and odd length") {
  for (const cv::Size size : {cv::Size(5, 5), cv::Size(4, 4), cv::Size(6, 4), cv::Size(3, 8)}) {
    CAPTURE(size.width);
    Sample sample;
    sample.image = cv::Mat(size, CV_8U);
    for (int i = 0; i < size.area(); ++i) sample.image.data[i] = static_cast<std::uint8_t>(i + 1);
    for (const auto& [angle, flag] : {std::pair<double, int>(180, cv::ROTATE_180),
                                      {-180, cv::ROTATE_180},
                                      {90, cv::ROTATE_90_COUNTERCLOCKWISE},
                                      {-90, cv::ROTATE_90_CLOCKWISE},
                                      {270, cv::ROTATE_90_CLOCKWISE}}) {
      CAPTURE(angle);
      const bool quarter = flag != cv::ROTATE_180;
      if (quarter && size.width != size.height) continue;
      cv::Mat expected;
      cv::rotate(sample.image, expected, flag);
      for (const bool crop_border : {false, true}) {
        const auto after = applied(*rotation_by(angle, {{"crop_border", crop_border}}), sample);
        REQUIRE(after.image.size() == expected.size());
        CHECK(cv::norm(after.image, expected, cv::NORM_INF) == 0);
      }
    }
    CHECK(applied(*rotation_by(0), sample).image.data == sample.image.data);
  }
}

// A diamond of side 30 sqrt(2), turned by 45 degrees, is a square of that side. The turned corners of its box have a
// box twice as wide: https://github.com/albumentations-team/albumentations/issues/746
TEST_CASE("rotate takes a box from the rotated mask where there is one, and else from the box's corners or ellipse") {
  Sample sample;
  sample.image = cv::Mat(100, 100, CV_8U, cv::Scalar(0));
  sectile::Polygons diamond;
  diamond.size = {100, 100};
  diamond.rings = {{{20, 50}, {50, 20}, {80, 50}, {50, 80}}};
  diamond.rule = sectile::Polygons::Rule::even_odd;
  for (const bool with_mask : {true, false}) {
    sample.instances.emplace_back();
    sample.instances.back().box = {20, 20, 60, 60};
    if (with_mask) sample.instances.back().mask = sectile::Mask(diamond);
  }
  const auto after = applied(*rotation_by(45), sample).instances;
  REQUIRE(after.size() == 2);
  const auto near = [](const cv::Rect2f& box, double low, double high, double tolerance) {
    CHECK(std::abs(box.x - low) <= tolerance);
    CHECK(std::abs(box.y - low) <= tolerance);
    CHECK(std::abs(box.br().x - high) <= tolerance);
    CHECK(std::abs(box.br().y - high) <= tolerance);
  };
  near(after[0].box, 28.7868, 71.2132, 1);  // whole pixels
  near(after[1].box, 7.57359, 92.42641, 1e-3);
  const auto tight = applied(*rotation_by(45, {{"rotate_method", "ellipse"}}), sample).instances;
  REQUIRE(tight.size() == 2);
  near(tight[0].box, 28.7868, 71.2132, 1);
  near(tight[1].box, 20, 80, 1e-3);
}

TEST_CASE("rotate draws any angle within its limit, and moves all annotation") {
  const auto rotate = make<Transform>(R"({"type": "rotate", "limit": [-30, 60], "probability": 1})");
  const auto before = annotated();
  double least = 90, most = -90;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto after = applied(*rotate, before, seed);
    const auto& matrix = after.geometry.to_original;
    const double angle = std::atan2(matrix(1, 0), matrix(0, 0)) * 180 / CV_PI;
    least = std::min(least, angle), most = std::max(most, angle);
    CHECK(after.geometry.invertible);
    if (seed < 20) check_moved_together(before, after, true);
  }
  CHECK(least >= -30);
  CHECK(least < -27);
  CHECK(most <= 60);
  CHECK(most > 57);
}

TEST_CASE("rotate shows nothing from outside, but for pixels at the corners, if it crops the border") {
  const auto rotate = make<Transform>(R"({"type": "rotate", "probability": 1, "crop_border": true, "fill": 255})");
  Sample sample = sectile::test::patterned({50, 31});
  sample.image.setTo(7);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto after = applied(*rotate, sample, seed);
    CHECK(cv::countNonZero(after.labels == sectile::kIgnore) <= 8);
    CHECK(cv::countNonZero(after.image != 7) <= 8);
  }
}

TEST_CASE("rotate fills what is outside as it is told, and interpolates as it is told") {
  sectile::BuildContext context = sectile::test::context(4);
  const auto before = annotated();
  const auto rotate = make<Transform>(
      R"({"type": "rotate", "limit": [45, 45], "probability": 1, "fill": [1, 2, 3], "label_fill": "2"})", context);
  const auto after = applied(*rotate, before);
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(0, 0) == 2);
  const auto ignored = applied(*rotation_by(45), before);
  CHECK(ignored.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(0, 0, 0));
  CHECK(ignored.labels.at<std::int16_t>(0, 0) == sectile::kIgnore);
  const auto nearest = applied(*rotation_by(45, {{"interpolation", "nearest"}}), before);
  for (int i = 0; i < static_cast<int>(nearest.image.total()); ++i)
    CHECK(nearest.image.at<cv::Vec3b>(i / 23, i % 23)[0] % 60 == 0);
  CHECK(cv::norm(nearest.image, ignored.image, cv::NORM_INF) > 0);
  const auto cubic = applied(*rotation_by(45, {{"interpolation", "cubic"}}), before);
  CHECK(cv::norm(cubic.image, ignored.image, cv::NORM_INF) > 0);
}

TEST_CASE("rotate rotates each slice of a volume, and takes images of any type") {
  Sample flat = sectile::test::patterned({13, 9}), volume;
  const int sizes[] = {2, 9, 13};
  volume.image = cv::Mat(3, sizes, CV_8U);
  for (int z = 0; z < 2; ++z) std::copy_n(flat.image.data, 9 * 13, volume.image.ptr(z));
  const auto rotate = rotation_by(25);
  const auto expected = applied(*rotate, flat).image;
  cv::Mat after = applied(*rotate, volume).image;
  for (int z = 0; z < 2; ++z) CHECK(cv::norm(cv::Mat(9, 13, CV_8U, after.ptr(z)), expected, cv::NORM_INF) <= 1);
  sectile::test::check_takes_any_image(*rotate);
  sectile::test::check_takes_any_image(*rotation_by(25, {{"crop_border", true}}));
}

TEST_CASE("rotate is applied as often as its probability says, and refuses limits upside down") {
  const auto before = annotated();
  const auto never = make<Transform>(R"({"type": "rotate", "probability": 0})");
  CHECK(applied(*never, before).image.data == before.image.data);
  const auto rotate = make<Transform>(R"({"type": "rotate"})");
  int rotated = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    rotated += applied(*rotate, before, seed).image.data != before.image.data;
  CHECK(rotated > 160);
  CHECK(rotated < 240);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "rotate", "limit": [20, 10]})"),
                       doctest::Contains("/part/limit: the minimum is greater than the maximum"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "rotate", "interpolation": "area"})"),
                       doctest::Contains("/part/interpolation"), sectile::SpecError);
}

TEST_CASE("rotate draws angles uniformly, like albumentations") {
  const auto rotate = make<Transform>(R"({"type": "rotate", "probability": 1})");
  std::vector<double> angles;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto turn = sectile::test::drawn_warp(*rotate, annotated(), seed).to_input;
    angles.push_back(std::atan2(turn(1, 0), turn(0, 0)) * 180 / CV_PI);
  }
  sectile::test::check_uniform(angles, -90, 90);
}
