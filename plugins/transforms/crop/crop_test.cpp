#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/patterned.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

namespace {

std::shared_ptr<Transform> crop_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  options["type"] = "crop";
  return make<Transform>(options.dump(), context);
}

}  // namespace

TEST_CASE("crop gives the pixels of albumentations' CenterCrop and Crop") {
  const auto expected = sectile::test::expected_of_transform("crop");
  REQUIRE(expected.size() == 9);
  for (const auto& one : expected) {
    CAPTURE(one["options"].dump());
    auto options = one["options"];
    options["fill"] = 9;
    const cv::Mat after = applied(*crop_with(options), sectile::test::patterned({10, 7})).image;
    CHECK(std::vector<int>(after.begin<std::uint8_t>(), after.end<std::uint8_t>()) ==
          one["values"].get<std::vector<int>>());
  }
}

TEST_CASE("crop moves all annotation, and pads where it reaches outside") {
  const auto before = annotated();
  for (const nlohmann::json& options :
       {nlohmann::json{{"size", {9, 12}}}, nlohmann::json{{"size", {30, 12}}},
        nlohmann::json{{"size", {9, 40}}, {"position", "top_left"}}, nlohmann::json{{"window", {-3, 5, 30, 12}}}}) {
    CAPTURE(options.dump());
    check_moved_together(before, applied(*crop_with(options), before));
  }
  const auto at_corner = applied(*crop_with({{"size", {9, 12}}, {"position", "top_left"}}), before);
  CHECK(sectile::test::source(at_corner, 0, 0) == cv::Point(0, 0));
  const auto window = applied(*crop_with({{"window", {-3, 5, 30, 12}}}), before);
  CHECK(window.image.size() == cv::Size(33, 7));
  CHECK(sectile::test::source(window, 0, 0) == cv::Point(-3, 5));
}

TEST_CASE("crop by itself takes 256 x 256 pixels at the center") {
  Sample sample;
  sample.image = cv::Mat(300, 401, CV_8U, cv::Scalar(1));
  const auto after = applied(*crop_with(nlohmann::json::object()), sample);
  CHECK(after.image.size() == cv::Size(256, 256));
  CHECK(sectile::test::source(after, 0, 0) == cv::Point(72, 22));
}

// The clipped box would be 48 square pixels large, around an object of which 6 pixels are left:
// https://github.com/albumentations-team/albumentations/issues/1845
TEST_CASE("crop takes a box from the cropped mask where there is one, and drops objects of which nothing is left") {
  Sample sample;
  sample.image = cv::Mat(10, 12, CV_8U, cv::Scalar(0));
  cv::Mat mask = cv::Mat::zeros(10, 12, CV_8U);
  mask(cv::Rect(1, 1, 2, 8)) = cv::Scalar(1);
  mask(cv::Rect(1, 7, 9, 2)) = cv::Scalar(1);
  for (const bool with_mask : {true, false}) {
    sample.instances.emplace_back();
    sample.instances.back().box = {1, 1, 9, 8};
    if (with_mask) sample.instances.back().mask = sectile::Mask(mask);
  }
  REQUIRE(cv::countNonZero(mask) == 30);
  const auto after = applied(*crop_with({{"window", {2, 0, 12, 7}}}), sample).instances;
  REQUIRE(after.size() == 2);
  CHECK(after[0].box == cv::Rect2f(0, 1, 1, 6));
  CHECK(after[0].mask.area() == 6);
  CHECK(after[1].box == cv::Rect2f(0, 1, 8, 6));
  const auto beside = applied(*crop_with({{"window", {4, 0, 12, 7}}}), sample).instances;
  REQUIRE(beside.size() == 1);  // of the box alone, nobody knows that it is empty there
  CHECK(beside[0].mask.empty());
}

TEST_CASE("crop fills each channel and the labels with what it is told") {
  const auto context = sectile::test::context(4);
  const auto crop = crop_with({{"size", {17, 40}}, {"fill", {1, 2, 3}}, {"label_fill", "1"}}, context);
  const auto after = applied(*crop, annotated());
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(after.labels.at<std::int16_t>(0, 0) == 1);
  const auto ignored = applied(*crop_with({{"size", {17, 40}}}), annotated());
  CHECK(ignored.labels.at<std::int16_t>(0, 0) == sectile::kIgnore);
  CHECK_THROWS_WITH_AS(crop_with({{"label_fill", "road"}}, context), doctest::Contains("/part/label_fill"),
                       sectile::SpecError);
}

TEST_CASE("crop takes images and volumes of any type") {
  sectile::test::check_takes_any_image(*crop_with({{"size", {3, 4}}}));
  sectile::test::check_takes_any_image(*crop_with({{"window", {0, 0, 2, 1}}}));
  Sample volume;
  const int sizes[] = {5, 6, 7};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  CHECK(sectile::extent(applied(*crop_with({{"size", {2, 3}}}), volume).image) == sectile::Extent{5, 2, 3});
  const auto deep = applied(*crop_with({{"size", {3, 2, 3}}}), volume);
  CHECK(sectile::extent(deep.image) == sectile::Extent{3, 2, 3});
  CHECK(deep.geometry.to_original(2, 3) == 1);
  CHECK_THROWS_WITH_AS(applied(*crop_with({{"size", {3, 2, 3}}}), annotated()),
                       doctest::Contains("annotated: is an image"), sectile::DataError);
}

TEST_CASE("crop says what is wrong with its options") {
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(crop_with(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"size", {5}}}, "/part/size: has 1 values; expected [height, width]");
  refused({{"size", {5, 0}}}, "/part/size/1: 0 is too small");
  refused({{"size", {5, 5}}, {"window", {0, 0, 1, 1}}}, "/part/size: has no effect with \"window\"");
  refused({{"position", "center"}, {"window", {0, 0, 1, 1}}}, "/part/position: has no effect with \"window\"");
  refused({{"window", {0, 0, 1}}}, "/part/window: has 3 values; expected [x_min, y_min, x_max, y_max]");
  refused({{"window", {0, 0, 1, 0}}}, "/part/window: is empty");
}

TEST_CASE("crop refuses a window that shows no pixel of the image") {
  Sample sample;
  sample.id = "street";
  sample.image = cv::Mat(20, 30, CV_8UC3, cv::Scalar::all(1));
  const std::vector<int> beside[] = {{30, 0, 40, 20}, {0, 20, 30, 25}, {-5, 0, 0, 20}, {0, -5, 30, 0}};
  for (const auto& window : beside)
    CHECK_THROWS_WITH_AS(applied(*crop_with({{"window", window}}), sample),
                         doctest::Contains("street: has 30 x 20 pixels (width x height), and crop's \"window\" shows"),
                         sectile::DataError);
  const std::vector<int> meeting[] = {{29, 0, 40, 20}, {0, 19, 30, 25}, {-5, 0, 1, 20}, {0, -5, 30, 1}};
  for (const auto& window : meeting) CHECK_NOTHROW(applied(*crop_with({{"window", window}}), sample));
}

TEST_CASE("crop at the top left of a volume takes the first slices, and at its center those in the middle") {
  Sample volume;
  const int sizes[] = {7, 6, 9};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(1));
  const auto first = applied(*crop_with({{"size", {3, 2, 3}}, {"position", "top_left"}}), volume).geometry.to_original;
  const auto middle = applied(*crop_with({{"size", {3, 2, 3}}}), volume).geometry.to_original;
  for (int axis = 0; axis < 3; ++axis) CHECK(first(axis, 3) == 0);
  CHECK(middle(0, 3) == 3);
  CHECK(middle(1, 3) == 2);
  CHECK(middle(2, 3) == 2);
}
