#include <cmath>
#include <map>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

// As in expected.py.
Sample sample_in_motion() {
  return sectile::test::pattern_of(
      "street", {15, 12}, 3, [](int x, int y, int c) { return (x * 31 + y * 47 + c * 71 + (x * y * 11) % 97) % 256; });
}

// A bright pixel in the middle of 21 x 21, which smears into the mirrored kernel.
Sample point_in_motion(int type = CV_32FC1) {
  Sample sample = sectile::test::sheet_of(type, {21, 21}, 0);
  sample.image(cv::Rect(10, 10, 1, 1)).reshape(1).setTo(200);
  return sample;
}

}  // namespace

TEST_CASE("motion_blur gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("motion_blur");
  REQUIRE(expected.size() == 6);
  for (const auto& one : expected) {
    CAPTURE(one["angle"].get<double>());
    const nlohmann::json spec = {{"type", "motion_blur"},
                                 {"blur_limit", {one["size"], one["size"]}},
                                 {"angle_range", {one["angle"], one["angle"]}},
                                 {"direction_range", {one["direction"], one["direction"]}},
                                 {"allow_shifted", false},
                                 {"probability", 1}};
    const bool is_float = one["depth"] == "32F";
    const auto [found, reference] =
        sectile::test::beside_expected(*make<Transform>(spec.dump()), sample_in_motion(), one);
    CHECK(cv::norm(found, reference, cv::NORM_INF) <= (is_float ? 1e-4 : 1.01));
  }
}

TEST_CASE("motion_blur smears any type and number of channels along the line, and volumes slice by slice") {
  const auto along_x = make<Transform>(
      R"({"type": "motion_blur", "blur_limit": [4, 5], "angle_range": [0, 0], "direction_range": [0, 0],
          "allow_shifted": false, "probability": 1})");
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC3, CV_16SC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const cv::Mat after = applied(*along_x, point_in_motion(type)).image;
    REQUIRE(after.type() == type);
    cv::Mat last;
    cv::extractChannel(after, last, after.channels() - 1);
    last.convertTo(last, CV_32F);
    CHECK(cv::countNonZero(last) == 5);
    for (int x = 8; x <= 12; ++x) CHECK(last.at<float>(10, x) == doctest::Approx(40));
  }
  const int sizes[] = {2, 5, 7};
  Sample volume;
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  volume.image.at<std::uint8_t>(1, 2, 3) = 200;
  const cv::Mat after = applied(*along_x, volume).image;
  CHECK(after.at<std::uint8_t>(1, 2, 1) == 40);
  CHECK(after.at<std::uint8_t>(1, 1, 3) == 0);
  CHECK(after.at<std::uint8_t>(0, 2, 3) == 0);
  Sample pixel;
  pixel.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(1, 2, 3));
  CHECK(applied(*along_x, pixel).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
}

TEST_CASE("motion_blur keeps to one side of the pixel if the direction says so") {
  const auto columns = [](const char* direction) {
    const auto blur = make<Transform>(
        std::string(R"({"type": "motion_blur", "blur_limit": [7, 7], "angle_range": [0, 0], "allow_shifted": false,
                        "probability": 1, "direction_range": )")
            .append(direction)
            .append("}"));
    const cv::Mat row = applied(*blur, point_in_motion()).image.row(10);
    std::vector<int> bright;
    for (int x = 0; x < row.cols; ++x)
      if (row.at<float>(0, x) > 0) bright.push_back(x);
    return bright;
  };
  // A pixel of the result is the mean of those that the kernel covers, so that the point spreads to the other side.
  CHECK(columns("[1, 1]") == std::vector<int>{7, 8, 9, 10});
  CHECK(columns("[-1, -1]") == std::vector<int>{10, 11, 12, 13});
  CHECK(columns("[0, 0]") == std::vector<int>{7, 8, 9, 10, 11, 12, 13});
}

TEST_CASE("motion_blur draws sizes, angles and shifts within their ranges") {
  const auto blur = make<Transform>(
      R"({"type": "motion_blur", "blur_limit": [3, 8], "angle_range": [0, 0], "direction_range": [0, 0],
          "allow_shifted": false, "probability": 1})");
  std::map<int, int> sizes;  // 3, 5, 7, 9 alike
  for (std::uint64_t seed = 0; seed < 400; ++seed)
    ++sizes[cv::countNonZero(applied(*blur, point_in_motion(), seed).image)];
  REQUIRE(sizes.size() == 4);
  for (const auto& [size, times] : sizes) CHECK(times > 60);  // of 100

  // The middle of a line of 9 pixels moves by up to 2 pixels, along both axes alike, and cut off at the kernel's edge.
  const auto shifted = make<Transform>(
      R"({"type": "motion_blur", "blur_limit": [9, 9], "angle_range": [0, 0], "direction_range": [0, 0],
          "probability": 1})");
  std::map<int, int> rows;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const cv::Mat after = applied(*shifted, point_in_motion(), seed).image;
    for (int y = 0; y < after.rows; ++y) rows[y] += cv::countNonZero(after.row(y)) > 0;
  }
  CHECK(rows[7] + rows[13] == 0);
  for (const int y : {9, 10, 11}) CHECK(rows[y] > 60);  // of 100
  for (const int y : {8, 12}) CHECK(rows[y] > 25);      // of 50

  const auto slanted = make<Transform>(
      R"({"type": "motion_blur", "blur_limit": [9, 9], "angle_range": [90, 180], "allow_shifted": false,
          "direction_range": [0, 0], "probability": 1})");
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const cv::Mat after = applied(*slanted, point_in_motion(), seed).image;
    CHECK(cv::countNonZero(after(cv::Rect(0, 0, 10, 10))) == 0);  // only from the top right to the bottom left
    CHECK(cv::countNonZero(after) >= 7);
  }
}

TEST_CASE("motion_blur leaves annotation alone, and the image too where it is not applied") {
  sectile::test::check_applied_half_the_time("motion_blur");
  const Sample large = sample_in_motion();
  Sample view = large, copy = large;
  view.image = large.image(cv::Rect(3, 2, 6, 5));
  copy.image = view.image.clone();
  const auto always = make<Transform>(R"({"type": "motion_blur", "probability": 1})");
  CHECK(cv::norm(applied(*always, view).image, applied(*always, copy).image, cv::NORM_INF) == 0);
}

TEST_CASE("motion_blur refuses ranges in the wrong order and out of range") {
  for (const char* json : {R"("blur_limit": [7, 3])", R"("angle_range": [90, 0])", R"("direction_range": [1, 0])"})
    CHECK_THROWS_WITH_AS(make<Transform>(std::string(R"({"type": "motion_blur", )").append(json).append("}")),
                         doctest::Contains("the minimum is greater than the maximum"), sectile::SpecError);
  for (const char* json : {R"("blur_limit": [1, 3])", R"("angle_range": [0, 361])", R"("direction_range": [-2, 0])"})
    CHECK_THROWS_AS(make<Transform>(std::string(R"({"type": "motion_blur", )").append(json).append("}")),
                    sectile::SpecError);
}

// By the pixels that a bright one gets to, along a line of 50 pixels to one or 101 to both sides.
TEST_CASE("motion_blur draws angles and directions uniformly, like albumentations") {
  const auto reach = [](const char* options, std::uint64_t seed) {
    const auto blur = make<Transform>(
        std::string(R"({"type": "motion_blur", "blur_limit": [101, 101], "allow_shifted": false, "probability": 1, )")
            .append(options)
            .append("}"));
    Sample sample;
    sample.image = cv::Mat(121, 121, CV_16U, cv::Scalar(0));
    sample.image.at<std::uint16_t>(60, 60) = 65535;
    const cv::Mat bright = applied(*blur, sample, seed).image > 100;
    return cv::Rect(sectile::Mask(bright).box());
  };
  std::vector<double> angles, directions;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto slanted = reach(R"("angle_range": [5, 85], "direction_range": [1, 1])", seed);
    angles.push_back(std::atan2(slanted.height - 1, slanted.width - 1) * 180 / CV_PI);
    const auto level = reach(R"("angle_range": [0, 0], "direction_range": [-0.6, 0.9])", seed);
    const int left = 60 - level.x, right = level.x + level.width - 1 - 60;
    directions.push_back((left - right) / 50.);  // against the line: see above
  }
  sectile::test::check_uniform(angles, 5, 85, 1.5);
  sectile::test::check_uniform(directions, -0.6, 0.9, 0.03);
}

TEST_CASE("motion_blur shifts lines along both axes, by up to a quarter of the kernel") {
  for (const int angle : {0, 90}) {
    const nlohmann::json spec = {{"type", "motion_blur"},
                                 {"blur_limit", {9, 9}},
                                 {"angle_range", {angle, angle}},
                                 {"direction_range", {0, 0}},
                                 {"probability", 1}};
    const auto blur = make<Transform>(spec.dump());
    std::map<int, int> places;  // of the line, across its direction
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      const cv::Mat bright = applied(*blur, point_in_motion(), seed).image > 0;
      const auto box = cv::Rect(sectile::Mask(bright).box());
      CHECK((angle == 0 ? box.height : box.width) == 1);
      ++places[angle == 0 ? box.y : box.x];
    }
    CHECK(places.size() == 5);
    for (const int at : {9, 10, 11}) CHECK(places[at] > 60);  // of 100
    for (const int at : {8, 12}) CHECK(places[at] > 25);      // of 50
  }
}
