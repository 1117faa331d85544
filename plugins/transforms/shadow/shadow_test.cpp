#include <algorithm>
#include <cmath>
#include <memory>
#include <set>
#include <string>
#include <utility>
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
using sectile::test::sheet_of;

namespace {

std::shared_ptr<Transform> shadow_of(nlohmann::json options) {
  return sectile::test::always("shadow", std::move(options));
}

}  // namespace

TEST_CASE("shadow darkens values as albumentations 2.0.8 does, and as much of the image") {
  const auto& expected = sectile::test::expected_of_transform("shadow");
  REQUIRE(expected["values"].size() == 4);
  Sample all;
  all.image = cv::Mat(40, 256, CV_8UC3);
  for (int y = 0; y < 40; ++y)
    for (int x = 0; x < 256; ++x) all.image.at<cv::Vec3b>(y, x) = cv::Vec3b::all(static_cast<std::uint8_t>(x));
  for (const auto& one : expected["values"]) {
    CAPTURE(one["intensity"].get<double>());
    const auto shadow = shadow_of({{"shadow_roi", {0, 0, 1, 1}},
                                   {"num_shadows_limit", {1, 1}},
                                   {"shadow_intensity_range", {one["intensity"], one["intensity"]}}});
    const auto values = one["values"].get<std::vector<int>>();
    std::set<int> darkened;
    int wrong = 0;
    for (std::uint64_t seed = 0; seed < 40; ++seed) {
      const cv::Mat after = applied(*shadow, all, seed).image;
      for (int y = 0; y < 40; ++y)
        for (int x = 0; x < 256; ++x) {
          const auto& color = after.at<cv::Vec3b>(y, x);
          wrong += color[0] != color[1] || color[0] != color[2];
          if (color[0] == x) continue;
          wrong += color[0] != values[static_cast<std::size_t>(x)];
          darkened.insert(x);
        }
    }
    CHECK(wrong == 0);
    CHECK(darkened.size() >= 240);
    CHECK(all.image.at<cv::Vec3b>(20, 200)[0] == 200);  // what others may hold is not written to
  }
  REQUIRE(expected["shares"].size() == 3);
  for (const auto& one : expected["shares"]) {
    CAPTURE(one["options"].dump());
    const auto shadow = shadow_of(one["options"]);
    const Sample sheet = sheet_of(CV_8U, {60, 40}, 200);
    double sum = 0, squares = 0;
    constexpr int kTimes = 2000;
    for (std::uint64_t seed = 0; seed < kTimes; ++seed) {
      const double share = cv::countNonZero(applied(*shadow, sheet, seed).image != 200) / 2400.0;
      sum += share, squares += share * share;
    }
    const double mean = sum / kTimes, deviation = std::sqrt(squares / kTimes - mean * mean);
    const double usual = one["deviation"].get<double>();
    CHECK(std::abs(mean - one["mean"].get<double>()) < 6 * usual / std::sqrt(kTimes));
    CHECK(std::abs(deviation - usual) < 0.1 * usual);
  }
}

TEST_CASE("shadow stays in its region, and falls anywhere in it") {
  const Sample sheet = sheet_of(CV_8U, {60, 40}, 200);
  const auto dark_box = [&](const nlohmann::json& options) {
    cv::Mat dark = cv::Mat::zeros(sheet.image.size(), CV_8U);
    const auto shadow = shadow_of(options);
    for (std::uint64_t seed = 0; seed < 300; ++seed) dark |= applied(*shadow, sheet, seed).image != 200;
    return cv::Rect(sectile::Mask(dark).box());
  };
  CHECK(dark_box(nlohmann::json::object()) == cv::Rect(0, 20, 60, 20));
  CHECK(dark_box({{"shadow_roi", {0.5, 0.25, 0.75, 0.5}}}) == cv::Rect(30, 10, 15, 10));
  CHECK(dark_box({{"shadow_roi", {1, 1, 1, 1}}}) == cv::Rect(59, 39, 1, 1));  // a region of no size: one pixel
}

TEST_CASE("shadow has the same form over images of any type and number of channels") {
  const auto shadow = shadow_of({{"shadow_intensity_range", {0.4, 0.4}}, {"num_shadows_limit", {1, 1}}});
  const cv::Mat form = applied(*shadow, sheet_of(CV_8U, {30, 20}, 100)).image != 100;
  REQUIRE(cv::countNonZero(form) > 0);
  for (const int type : {CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC1, CV_16UC3, CV_32FC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const double value = CV_MAT_DEPTH(type) == CV_32F ? 0.5 : 100;
    const cv::Mat after = applied(*shadow, sheet_of(type, {30, 20}, value)).image;
    REQUIRE(after.type() == type);
    for (const int channel : {0, after.channels() - 1}) {
      cv::Mat one;
      cv::extractChannel(after, one, channel);
      one.convertTo(one, CV_32F);
      cv::Mat reference(20, 30, CV_32F, cv::Scalar(value));
      reference.setTo(0.6 * value, form);
      CHECK(cv::norm(one, reference, cv::NORM_INF) < 1e-5);
    }
  }
  Sample volume;
  volume.id = "scan";
  const int sizes[] = {2, 3, 4};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(applied(*shadow, volume), doctest::Contains("scan: is a volume, and shadow is for images"),
                       sectile::DataError);
  CHECK_THROWS_WITH_AS(applied(*shadow, sheet_of(CV_16SC1, {4, 4}, 0)), doctest::Contains("sheet: "),
                       sectile::DataError);
  CHECK(applied(*shadow, sheet_of(CV_8UC3, {1, 1}, 100)).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(60, 60, 60));
}

TEST_CASE("shadow draws number and intensity within their ranges, and leaves annotation alone") {
  std::set<int> values;
  const Sample sheet = sheet_of(CV_8U, {60, 40}, 200);
  const auto one = shadow_of({{"num_shadows_limit", {1, 1}}, {"shadow_intensity_range", {0.2, 0.4}}});
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const cv::Mat after = applied(*one, sheet, seed).image;
    double darkest = 0;
    cv::minMaxLoc(after, &darkest, nullptr);
    values.insert(static_cast<int>(darkest));
  }
  values.erase(200);  // a polygon of no area
  CHECK(*values.begin() >= 120);
  CHECK(*values.begin() <= 122);
  CHECK(*values.rbegin() <= 160);
  CHECK(*values.rbegin() >= 157);
  CHECK(values.size() > 35);
  std::set<int> depths;  // 200, halved once or twice
  const auto several = shadow_of(nlohmann::json::object());
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const cv::Mat after = applied(*several, sheet, seed).image;
    for (int i = 0; i < 2400; ++i) depths.insert(after.data[i]);
  }
  CHECK(depths == std::set<int>{50, 100, 200});

  sectile::test::check_applied_half_the_time("shadow");
}

TEST_CASE("shadow refuses ranges in the wrong order and out of range") {
  const auto refused = [](nlohmann::json options, const char* problem) {
    CHECK_THROWS_WITH_AS(shadow_of(std::move(options)), doctest::Contains(problem), sectile::SpecError);
  };
  refused({{"shadow_roi", {0.5, 0, 0.2, 1}}}, "/part/shadow_roi: ends before it starts");
  refused({{"shadow_roi", {0, 0.5, 1, 0.2}}}, "/part/shadow_roi: ends before it starts");
  refused({{"shadow_roi", {0, 0, 1, 2}}}, "/part/shadow_roi/3: ");
  refused({{"num_shadows_limit", {3, 2}}}, "/part/num_shadows_limit: the minimum is greater");
  refused({{"num_shadows_limit", {0, 2}}}, "/part/num_shadows_limit/0: ");
  refused({{"shadow_dimension", 2}}, "/part/shadow_dimension: ");
  refused({{"shadow_intensity_range", {0.5, 0.2}}}, "/part/shadow_intensity_range: the minimum is greater");
  refused({{"shadow_intensity_range", {0.5, 1.2}}}, "/part/shadow_intensity_range/1: ");
}

TEST_CASE("shadow draws its intensity uniformly, like albumentations") {
  const auto shadow = shadow_of({{"num_shadows_limit", {1, 1}}, {"shadow_intensity_range", {0.2, 0.6}}});
  const Sample sheet = sheet_of(CV_32F, {60, 40}, 1);
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    double darkest = 1;
    cv::minMaxLoc(applied(*shadow, sheet, seed).image, &darkest);
    drawn.push_back(1 - darkest);
  }
  sectile::test::check_uniform(drawn, 0.2, 0.6);
}
