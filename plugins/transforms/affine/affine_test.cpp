#include <algorithm>
#include <set>
#include <utility>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/patterned.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;

namespace {

std::shared_ptr<Transform> affine_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("affine", std::move(options), context);
}

// Of 1 / scale along x and y, drawn from many seeds.
std::vector<cv::Vec2d> drawn_scales(const nlohmann::json& options) {
  const auto affine = affine_with(options);
  const Sample sample = annotated();
  std::vector<cv::Vec2d> scales;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto warp = sectile::test::drawn_warp(*affine, sample, seed);
    scales.emplace_back(1 / warp.to_input(0, 0), 1 / warp.to_input(1, 1));
  }
  return scales;
}

}  // namespace

TEST_CASE("affine gives the pixels and labels of albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("affine");
  REQUIRE(expected.size() == 6);
  for (const auto& one : expected) {
    CAPTURE(one["options"].dump());
    const auto affine = affine_with(one["options"]);
    sectile::test::check_as_expected(applied(*affine, sectile::test::patterned({24, 18})), one);
  }
}

TEST_CASE("affine makes of a box without a mask what albumentations 2.0.8 makes of it, by each method") {
  for (const auto& one : sectile::test::expected_of_transform("affine")) {
    auto options = one["options"];
    CAPTURE(options.dump());
    const auto with_method = [&](const std::string& method) {
      options["rotate_method"] = method;
      return affine_with(options);
    };
    sectile::test::check_boxes_as_expected(with_method, one["boxes"]);
  }
}

TEST_CASE("affine that shows the whole image turns it by right angles like numpy.rot90") {
  for (const cv::Size size : {cv::Size(5, 5), cv::Size(4, 4), cv::Size(6, 4), cv::Size(3, 8)}) {
    CAPTURE(size.width);
    Sample sample;
    sample.image = cv::Mat(size, CV_8U);
    for (int i = 0; i < size.area(); ++i) sample.image.data[i] = static_cast<std::uint8_t>(i + 1);
    for (const auto& [angle, flag] : {std::pair<int, int>(90, cv::ROTATE_90_COUNTERCLOCKWISE),
                                      {180, cv::ROTATE_180},
                                      {270, cv::ROTATE_90_CLOCKWISE},
                                      {-90, cv::ROTATE_90_CLOCKWISE}}) {
      CAPTURE(angle);
      cv::Mat expected;
      cv::rotate(sample.image, expected, flag);
      const auto after = applied(*affine_with({{"rotate", angle}, {"fit_output", true}}), sample);
      REQUIRE(after.image.size() == expected.size());
      CHECK(cv::norm(after.image, expected, cv::NORM_INF) == 0);
    }
    CHECK(applied(*affine_with({{"fit_output", true}}), sample).image.data == sample.image.data);
  }
}

TEST_CASE("affine that shows the whole image loses none of it, and has no more room than it needs") {
  const auto affine =
      affine_with({{"rotate", {-180, 180}}, {"scale", {0.5, 2}}, {"shear", {-20, 20}}, {"fit_output", true}});
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto warp = sectile::test::drawn_warp(*affine, annotated(), seed);
    const cv::Matx44d to_result = warp.to_input.inv();
    double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
    for (const cv::Point at : {cv::Point(0, 0), cv::Point(23, 0), cv::Point(0, 17), cv::Point(23, 17)}) {
      const auto there = to_result * cv::Vec4d(at.x, at.y, 0.5, 1);
      for (int axis = 0; axis < 2; ++axis)
        low[axis] = std::min(low[axis], there[axis]), high[axis] = std::max(high[axis], there[axis]);
    }
    const double sides[] = {static_cast<double>(warp.size.width), static_cast<double>(warp.size.height)};
    for (int axis = 0; axis < 2; ++axis) {
      CHECK(low[axis] > -1e-6);
      CHECK(low[axis] < 1);
      CHECK(high[axis] < sides[axis] + 1e-6);
      CHECK(high[axis] > sides[axis] - 1);
    }
  }
}

TEST_CASE("affine draws within its ranges, for each axis") {
  std::set<double> xs, ys;
  for (const auto& scale : drawn_scales({{"scale", {0.5, 2}}})) {
    CHECK(scale[0] != scale[1]);
    xs.insert(scale[0]), ys.insert(scale[1]);
  }
  for (const auto& drawn : {xs, ys}) {
    CHECK(*drawn.begin() >= 0.5);
    CHECK(*drawn.begin() < 0.53);
    CHECK(*drawn.rbegin() <= 2 + 1e-9);
    CHECK(*drawn.rbegin() > 1.95);
  }
  for (const auto& scale : drawn_scales({{"scale", {0.5, 2}}, {"keep_ratio", true}}))
    CHECK(scale[0] == doctest::Approx(scale[1]));
  for (const auto& scale : drawn_scales({{"scale", {0.5, 0.6, 1.5, 1.6}}})) {
    CHECK(std::abs(scale[0] - 0.55) <= 0.05 + 1e-9);
    CHECK(std::abs(scale[1] - 1.55) <= 0.05 + 1e-9);
  }
}

TEST_CASE("affine shrinks as often as it enlarges if it is balanced") {
  int plain = 0, balanced = 0;
  for (const auto& scale : drawn_scales({{"scale", {0.5, 2}}})) plain += scale[0] < 1;
  for (const auto& scale : drawn_scales({{"scale", {0.5, 2}}, {"balanced_scale", true}})) balanced += scale[0] < 1;
  CHECK(std::abs(plain - 133) < 40);  // a third of 400
  CHECK(std::abs(balanced - 200) < 40);
  for (const auto& scale : drawn_scales({{"scale", {0.5, 0.8}}, {"balanced_scale", true}}))
    CHECK(scale[0] <= 0.8 + 1e-9);
}

TEST_CASE("affine translates by whole pixels, up to and with the maximum") {
  const auto before = annotated();
  const auto affine = affine_with({{"translate_px", {-1, 2}}});
  std::set<int> xs;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto after = applied(*affine, before, seed);
    xs.insert(-sectile::test::source(after, 0, 0).x);
    check_moved_together(before, after);
  }
  CHECK(xs == std::set<int>{-1, 0, 1, 2});
  const auto percent = applied(*affine_with({{"translate_percent", {0.2, 0.2, -0.1, -0.1}}}), before);
  CHECK(sectile::test::source(percent, 0, 0) == cv::Point(-4, 1));  // of 4.6 and -1.7
  check_moved_together(before, percent);
}

TEST_CASE("affine moves all annotation") {
  const auto before = annotated();
  const auto affine = affine_with({{"rotate", {-20, 20}}, {"scale", {0.8, 1}}, {"shear", {-8, 8}}});
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto after = applied(*affine, before, seed);
    check_moved_together(before, after, true);
    CHECK(after.geometry.invertible);
  }
}

TEST_CASE("affine fills what is outside as it is told, and takes images of any type") {
  const auto context = sectile::test::context(4);
  const auto shrunk = affine_with({{"scale", 0.5}, {"fill", {1, 2, 3}}, {"label_fill", "3"}}, context);
  const auto after = applied(*shrunk, annotated());
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(0, 0) == 3);
  const auto nearest = applied(*affine_with({{"scale", 0.7}, {"interpolation", "nearest"}}), annotated());
  for (int i = 0; i < static_cast<int>(nearest.image.total()); ++i)
    CHECK(nearest.image.at<cv::Vec3b>(i / 23, i % 23)[0] % 60 == 0);
  sectile::test::check_takes_any_image(*affine_with({{"rotate", 30}, {"scale", {0.5, 0.5, 2, 2}}}));
  sectile::test::check_takes_any_image(*affine_with({{"rotate", 30}, {"fit_output", true}}));
}

TEST_CASE("affine by itself, or with a probability of 0, changes nothing") {
  const auto before = annotated();
  CHECK(applied(*affine_with({{"probability", 1}}), before).image.data == before.image.data);
  CHECK(applied(*affine_with({{"rotate", 30}, {"probability", 0}}), before).image.data == before.image.data);
}

TEST_CASE("affine says what is wrong with its options") {
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(affine_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"scale", {1, 2, 3}}}, "/part/scale: has 3 values; expected one number, [min, max] or [x_min, x_max,");
  refused({{"rotate", {1, 2, 3, 4}}}, "/part/rotate: has 4 values; expected one number or [min, max]");
  refused({{"shear", {2, 1}}}, "/part/shear: a minimum is greater than its maximum");
  refused({{"shear", {-50, 50}}}, "/part/shear: reaches 90 degrees with both axes together");
  refused({{"scale", 0}}, "/part/scale: 0 is too small");
  refused({{"translate_px", 1}, {"translate_percent", 0.1}}, "/part/translate_px: is given besides");
  refused({{"translate_px", 1}, {"fit_output", true}}, "/part/translate_px: has no effect with \"fit_output\"");
  refused({{"translate_percent", 0.1}, {"fit_output", true}}, "/part/translate_percent: has no effect");
  refused({{"scale", {1, 2, 1, 3}}, {"keep_ratio", true}}, "/part/scale: differs between the axes");
  Sample large;
  large.id = "large";
  large.image = cv::Mat(400, 400, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(applied(*affine_with({{"scale", 100}, {"fit_output", true}}), large),
                       doctest::Contains("large: would become 40000 x 40000 pixels"), sectile::DataError);
}

TEST_CASE("affine draws scales, angles, shears and translations uniformly, like albumentations") {
  Sample sample;
  sample.image = cv::Mat(1000, 2000, CV_8U, cv::Scalar(0));
  const auto scaled = affine_with({{"scale", {0.5, 2}}}), rotated = affine_with({{"rotate", {-30, 50}}}),
             sheared = affine_with({{"shear", {-10, 20, -5, 15}}}),
             moved = affine_with({{"translate_percent", {-0.2, 0.1, 0.3, 0.4}}});
  std::vector<double> scales, angles, along_x, along_y, right, down;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    scales.push_back(1 / sectile::test::drawn_warp(*scaled, sample, seed).to_input(0, 0));
    const auto turn = sectile::test::drawn_warp(*rotated, sample, seed).to_input;
    angles.push_back(std::atan2(turn(1, 0), turn(0, 0)) * 180 / CV_PI);
    const cv::Matx44d shear = sectile::test::drawn_warp(*sheared, sample, seed).to_input.inv();
    along_x.push_back(-std::atan(shear(0, 1)) * 180 / CV_PI), along_y.push_back(-std::atan(shear(1, 0)) * 180 / CV_PI);
    const auto shift = sectile::test::drawn_warp(*moved, sample, seed).to_input;
    right.push_back(-shift(0, 3)), down.push_back(-shift(1, 3));
  }
  sectile::test::check_uniform(scales, 0.5, 2);
  sectile::test::check_uniform(angles, -30, 50);
  sectile::test::check_uniform(along_x, -10, 20);
  sectile::test::check_uniform(along_y, -5, 15);
  sectile::test::check_uniform(right, -400, 200, 1);  // of the sides' length, cut to whole pixels
  sectile::test::check_uniform(down, 300, 400, 1);
}

TEST_CASE("affine that shows the whole image keeps its middle in the middle") {
  const auto affine = affine_with({{"rotate", {-180, 180}}, {"shear", {-20, 20}}, {"fit_output", true}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto warp = sectile::test::drawn_warp(*affine, annotated(), seed);
    const auto middle = warp.to_input * cv::Vec4d(warp.size.width / 2., warp.size.height / 2., 0.5, 1);
    CHECK(middle[0] == doctest::Approx(23 / 2.));
    CHECK(middle[1] == doctest::Approx(17 / 2.));
  }
}
