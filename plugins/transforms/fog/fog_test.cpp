#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;
using sectile::test::sheet_of;

namespace {

double mean_in_fog(const cv::Mat& image) {
  cv::Mat first;
  cv::extractChannel(image, first, 0);
  return cv::mean(first)[0];
}

}  // namespace

TEST_CASE("fog of density 0 only blurs, to the pixels of albumentations 2.0.8") {
  const auto values = sectile::test::expected_of_transform("fog")["blur"][0]["values"].get<std::vector<std::uint8_t>>();
  const Sample before = sectile::test::pattern_of(
      "street", {15, 12}, 3, [](int x, int y, int c) { return (x * 31 + y * 47 + c * 71 + (x * y * 11) % 97) % 256; });
  REQUIRE(values.size() == 12 * 15 * 3);
  const cv::Mat untouched = before.image.clone();
  const auto fog = make<Transform>(R"({"type": "fog", "fog_coef_range": [0, 0], "probability": 1})");
  const cv::Mat after = applied(*fog, before).image;
  const cv::Mat reference(12, 15, CV_8UC3, const_cast<std::uint8_t*>(values.data()));
  CHECK(cv::norm(after, reference, cv::NORM_INF) <= 1);
  CHECK(cv::norm(before.image, untouched, cv::NORM_INF) == 0);  // what others may hold is not written to
}

TEST_CASE("fog is as bright as that of albumentations 2.0.8, as a whole and in the middle") {
  const auto& expected = sectile::test::expected_of_transform("fog")["fog"];
  REQUIRE(expected.size() == 4);
  for (const auto& one : expected) {
    CAPTURE(one.dump());
    const nlohmann::json spec = {{"type", "fog"},
                                 {"fog_coef_range", {one["density"], one["density"]}},
                                 {"alpha_coef", one["alpha"]},
                                 {"probability", 1}};
    const auto fog = make<Transform>(spec.dump());
    const int height = one["height"].get<int>(), width = one["width"].get<int>();
    constexpr int kTimes = 100;
    double mean = 0, middle = 0;
    for (std::uint64_t seed = 0; seed < kTimes; ++seed) {
      const cv::Mat after = applied(*fog, sheet_of(CV_8UC3, {width, height}, one["value"].get<double>()), seed).image;
      mean += mean_in_fog(after) / kTimes;
      const cv::Rect third(width / 3, height / 3, width * 2 / 3 - width / 3, height * 2 / 3 - height / 3);
      middle += mean_in_fog(after(third)) / kTimes;
    }
    // Of the difference of two means of a hundred, five deviations; and half a level of rounding.
    const double usual = 5 * std::sqrt(2.0 / kTimes);
    CHECK(std::abs(mean - one["mean"].get<double>()) < 0.5 + usual * one["mean_deviation"].get<double>());
    CHECK(std::abs(middle - one["middle"].get<double>()) < 0.5 + usual * one["middle_deviation"].get<double>());
  }
}

TEST_CASE("fog is the same over images of any type and number of channels") {
  const auto fog = make<Transform>(R"({"type": "fog", "fog_coef_range": [0.7, 0.7], "probability": 1})");
  const cv::Mat bytes = applied(*fog, sheet_of(CV_8UC1, {60, 40}, 51)).image;
  for (const int type : {CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC3, CV_32FC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const int depth = CV_MAT_DEPTH(type);
    const double largest = depth == CV_8U ? 255 : depth == CV_16U ? 65535 : 1;
    const cv::Mat after = applied(*fog, sheet_of(type, {60, 40}, 0.2 * largest)).image;
    REQUIRE(after.type() == type);
    for (const int channel : {0, after.channels() - 1}) {
      cv::Mat one;
      cv::extractChannel(after, one, channel);
      one.convertTo(one, CV_32F, 255 / largest);
      cv::Mat reference;
      bytes.convertTo(reference, CV_32F);
      CHECK(cv::norm(one, reference, cv::NORM_INF) < 6);  // 8 bits are rounded for each disc
      CHECK(cv::norm(one, reference, cv::NORM_L1) / static_cast<double>(one.total()) < 1.5);
    }
  }
  Sample volume;
  volume.id = "scan";
  const int sizes[] = {2, 3, 4};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(applied(*fog, volume), doctest::Contains("scan: is a volume, and fog is for images"),
                       sectile::DataError);
  CHECK_THROWS_WITH_AS(applied(*fog, sheet_of(CV_16SC1, {4, 4}, 0)), doctest::Contains("sheet: "), sectile::DataError);
  CHECK(applied(*fog, sheet_of(CV_8UC3, {1, 1}, 9)).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(9, 9, 9));
}

TEST_CASE("fog draws its density within the range, and leaves annotation alone") {
  const auto brightness = [](const char* range) {
    const auto even = make<Transform>(
        std::string(R"({"type": "fog", "probability": 1, "fog_coef_range": )").append(range).append("}"));
    double sum = 0;
    for (std::uint64_t seed = 0; seed < 50; ++seed)
      sum += mean_in_fog(applied(*even, sheet_of(CV_32FC1, {300, 200}, 0), seed).image) / 50;
    return sum;
  };
  const double thin = brightness("[0.2, 0.2]"), any = brightness("[0.2, 1]"), dense = brightness("[1, 1]");
  CHECK(thin < dense);
  CHECK(any > thin + 0.2 * (dense - thin));
  CHECK(any < dense - 0.2 * (dense - thin));

  sectile::test::check_applied_half_the_time("fog");
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "fog", "fog_coef_range": [0.5, 0.2]})"),
                       doctest::Contains("/part/fog_coef_range: the minimum is greater"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "fog", "fog_coef_range": [0.5, 1.2]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "fog", "alpha_coef": 1.2})"), sectile::SpecError);
}

TEST_CASE("fog blurs by a kernel of a thirtieth of the shorter side") {
  Sample before;
  before.image = cv::Mat(160, 200, CV_8U);
  for (int i = 0; i < 160 * 200; ++i) before.image.data[i] = static_cast<std::uint8_t>(i * 40503 % 65521 % 256);
  const auto fog = make<Transform>(R"({"type": "fog", "fog_coef_range": [0, 0], "probability": 1})");
  cv::Mat blurred;
  cv::GaussianBlur(before.image, blurred, cv::Size(5, 5), 0);
  CHECK(cv::norm(applied(*fog, before).image, blurred, cv::NORM_INF) <= 1);
}
