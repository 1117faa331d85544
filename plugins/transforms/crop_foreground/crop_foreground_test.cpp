#include <algorithm>

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

std::shared_ptr<Transform> foreground_crop(nlohmann::json options, const sectile::BuildContext& context = {}) {
  options["type"] = "crop_foreground";
  return make<Transform>(options.dump(), context);
}

// As in expected.py.
Sample volume_with_objects() {
  const int sizes[] = {4, 7, 9};
  Sample sample;
  sample.id = "volume";
  sample.image = cv::Mat(3, sizes, CV_32F, cv::Scalar(0));
  sample.image.at<float>(1, 2, 3) = 5;
  for (int y = 3; y < 5; ++y)
    for (int x = 4; x < 7; ++x) sample.image.at<float>(2, y, x) = 9;
  sample.image.at<float>(2, 6, 0) = 2;
  return sample;
}

cv::Rect source_window(const Sample& after) { return {sectile::test::source(after, 0, 0), after.image.size()}; }

}  // namespace

TEST_CASE("crop_foreground gives the voxels of MONAI") {
  const auto expected = sectile::test::expected_of_transform("crop_foreground");
  REQUIRE(expected.size() == 7);
  for (const auto& one : expected) {
    CAPTURE(one.dump());
    nlohmann::json options = one;
    options.erase("size"), options.erase("values");
    const Sample after = applied(*foreground_crop(options), volume_with_objects());
    const auto size = one["size"].get<std::vector<int>>();
    REQUIRE(sectile::extent(after.image) == sectile::Extent{size[0], size[1], size[2]});
    const auto* values = after.image.ptr<float>();
    CHECK(std::vector<float>(values, values + after.image.total()) == one["values"].get<std::vector<float>>());
  }
}

TEST_CASE("crop_foreground takes pixels of which any channel is above the threshold") {
  Sample sample;
  for (const int type : {CV_8UC(7), CV_16UC(7), CV_16SC(7), CV_32FC(7)}) {
    sample.image = cv::Mat(20, 30, type, cv::Scalar::all(0));
    cv::Mat channel(20, 30, CV_MAKETYPE(sample.image.depth(), 1), cv::Scalar(0));
    channel(cv::Rect(3, 4, 5, 6)) = cv::Scalar(7);
    cv::insertChannel(channel, sample.image, 5);
    CHECK(source_window(applied(*foreground_crop({{"threshold", 6}}), sample)) == cv::Rect(3, 4, 5, 6));
    // Without foreground, there is nothing to crop to.
    CHECK(applied(*foreground_crop({{"threshold", 7}}), sample).image.data == sample.image.data);
  }
}

TEST_CASE("crop_foreground moves all annotation") {
  const auto before = annotated();
  const auto context = sectile::test::context(4);
  const auto options = nlohmann::json{{"source", "labels"}, {"background", {"0", "1"}}};
  const auto after = applied(*foreground_crop(options, context), before);
  CHECK(source_window(after) == cv::Rect(4, 3, 15, 12));
  check_moved_together(before, after);
  const auto by_default = applied(*foreground_crop({{"source", "labels"}}, context), before);
  CHECK(source_window(by_default) == cv::Rect(2, 1, 17, 14));
}

TEST_CASE("crop_foreground adds a margin, up to the image's edge or with padding") {
  const auto before = annotated();
  const auto context = sectile::test::context(4);
  const auto window = [&](nlohmann::json options) {
    options["source"] = "labels";
    const auto after = applied(*foreground_crop(options, context), before);
    check_moved_together(before, after);
    return source_window(after);
  };
  CHECK(window({{"margin", 3}}) == cv::Rect(-1, -2, 23, 20));
  CHECK(window({{"margin", 3}, {"allow_smaller", true}}) == cv::Rect(0, 0, 22, 17));
  CHECK(window({{"margin", {0, 4}}}) == cv::Rect(-2, 1, 25, 14));
  CHECK(window({{"k_divisible", 8}}) == cv::Rect(-1, 0, 24, 16));
  const auto padded = applied(
      *foreground_crop({{"source", "labels"}, {"margin", 3}, {"fill", {1, 2, 3}}, {"label_fill", "2"}}, context),
      before);
  CHECK(padded.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(padded.labels.at<std::int16_t>(0, 0) == 2);
}

TEST_CASE("crop_foreground takes labels per class, and leaves samples without labels or foreground alone") {
  Sample sample;
  sample.image = cv::Mat(9, 8, CV_8U, cv::Scalar(0));
  const auto crop = foreground_crop({{"source", "labels"}}, sectile::test::context(2, 3, true));
  CHECK(applied(*crop, sample).image.data == sample.image.data);
  sample.labels = cv::Mat(9, 8, CV_32FC2, cv::Scalar(0, 0));
  CHECK(applied(*crop, sample).image.data == sample.image.data);
  sample.labels.at<cv::Vec2f>(3, 2)[0] = 1;
  sample.labels.at<cv::Vec2f>(5, 6)[1] = 1;
  CHECK(source_window(applied(*crop, sample)) == cv::Rect(2, 3, 5, 3));
  const auto without_first =
      foreground_crop({{"source", "labels"}, {"background", {"0"}}}, sectile::test::context(2, 3, true));
  CHECK(source_window(applied(*without_first, sample)) == cv::Rect(6, 5, 1, 1));
  sample.labels = cv::Mat(9, 8, CV_16S, cv::Scalar(sectile::kIgnore));
  CHECK(applied(*foreground_crop({{"source", "labels"}}, sectile::test::context(2)), sample).image.data ==
        sample.image.data);
}

TEST_CASE("crop_foreground takes images of any type, and looks at pixels") {
  const auto crop = foreground_crop({{"margin", 1}});
  sectile::test::check_takes_any_image(*crop);
  CHECK(std::dynamic_pointer_cast<sectile::GeometricTransform>(crop)->looks_at_pixels());
}

TEST_CASE("crop_foreground says what is wrong with its options") {
  const auto context = sectile::test::context(2);
  const auto refused = [&](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(foreground_crop(options, context), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"margin", {1, 2, 3, 4}}}, "/part/margin: has 4 values");
  refused({{"margin", -1}}, "/part/margin");
  refused({{"k_divisible", 0}}, "/part/k_divisible");
  refused({{"source", "labels"}, {"threshold", 3}}, "/part/threshold: has no effect");
  refused({{"background", {"0"}}}, "/part/background: has no effect");
  refused({{"source", "labels"}, {"background", {"0", "rod"}}}, "/part/background/1: names the class \"rod\"");
  Sample sample = annotated();
  CHECK_THROWS_WITH_AS(applied(*foreground_crop({{"margin", {1, 2, 3}}}), sample),
                       doctest::Contains("annotated: is an image, and crop_foreground's \"margin\" has 3 values: give "
                                         "one number, or [height, width]"),
                       sectile::DataError);
}
