#include <algorithm>
#include <array>
#include <cmath>

#include <opencv2/imgproc.hpp>

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

std::shared_ptr<Transform> resized_crop(nlohmann::json options) {
  options["type"] = "random_resized_crop";
  return make<Transform>(options.dump());
}

// x, y, width and height of what a warp to 10 x 10 pixels shows.
std::array<double, 4> shown_window(const sectile::Warp& warp) {
  const auto& matrix = warp.to_input;
  return {matrix(0, 3), matrix(1, 3), 10 * matrix(0, 0), 10 * matrix(1, 1)};
}

}  // namespace

TEST_CASE("random_resized_crop resizes as albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("random_resized_crop")["pattern"];
  const auto crop = resized_crop({{"size", {30, 35}}, {"scale", {1, 1}}, {"ratio", {24. / 18, 24. / 18}}});
  sectile::test::check_as_expected(applied(*crop, sectile::test::patterned({24, 18})), expected);
}

// 2000 windows here and 5000 there: five standard errors of the means, and a tenth of the deviations.
TEST_CASE("random_resized_crop draws windows from the distribution of albumentations 2.0.8") {
  Sample sample;
  sample.image = cv::Mat(100, 150, CV_8U, cv::Scalar(0));
  const auto& windows = sectile::test::expected_of_transform("random_resized_crop")["windows"];
  REQUIRE(windows.size() == 4);
  for (const auto& one : windows) {
    CAPTURE(one.dump());
    const auto crop = resized_crop({{"size", {10, 10}}, {"scale", one["scale"]}, {"ratio", one["ratio"]}});
    constexpr int kTimes = 2000;
    std::array<double, 4> sum{}, squares{};
    for (std::uint64_t seed = 0; seed < kTimes; ++seed) {
      const auto window = shown_window(sectile::test::drawn_warp(*crop, sample, seed));
      for (std::size_t i = 0; i < 4; ++i) sum[i] += window[i], squares[i] += window[i] * window[i];
    }
    for (std::size_t i = 0; i < 4; ++i) {
      CAPTURE(i);
      const double mean = sum[i] / kTimes, deviation = std::sqrt(std::max(0., squares[i] / kTimes - mean * mean));
      const double expected = one["deviation"][i].get<double>();
      CHECK(std::abs(mean - one["mean"][i].get<double>()) <= 5 * expected * std::sqrt(1. / kTimes + 1. / 5000) + 1e-6);
      CHECK(std::abs(deviation - expected) <= 0.1 * expected + 1e-3);
    }
  }
}

TEST_CASE("random_resized_crop moves all annotation") {
  const auto before = annotated();
  const auto crop = resized_crop({{"size", {13, 19}}, {"scale", {0.3, 1}}});
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto after = applied(*crop, before, seed);
    CHECK(after.image.size() == cv::Size(19, 13));
    CHECK(after.geometry.invertible);
    for (const auto& instance : after.instances) {
      if (instance.mask.empty()) continue;
      const cv::Mat bits = after.labels == instance.category;
      CHECK(cv::norm(instance.mask.bitmap() * 255, bits, cv::NORM_INF) == 0);
    }
    for (int y = 0; y < 13; ++y)
      for (int x = 0; x < 19; ++x)
        REQUIRE(after.labels.at<std::int16_t>(y, x) ==
                before.labels.at<std::int16_t>(sectile::test::source(after, x, y)));
  }
}

TEST_CASE("random_resized_crop takes the largest window of a possible ratio where none fits") {
  Sample wide, tall;
  wide.image = cv::Mat(10, 200, CV_8U, cv::Scalar(0));
  tall.image = cv::Mat(200, 10, CV_8U, cv::Scalar(0));
  const auto crop = resized_crop({{"size", {10, 10}}, {"scale", {1, 1}}});
  const auto of_wide = shown_window(sectile::test::drawn_warp(*crop, wide));
  CHECK(of_wide[0] == 93);  // 10 * 4 / 3 columns
  CHECK(of_wide[1] == 0);
  CHECK(of_wide[2] == doctest::Approx(13));
  CHECK(of_wide[3] == doctest::Approx(10));
  const auto of_tall = shown_window(sectile::test::drawn_warp(*crop, tall));
  CHECK(of_tall[1] == 93);
  CHECK(of_tall[3] == doctest::Approx(13));  // 10 / (3 / 4) rows
}

TEST_CASE("random_resized_crop interpolates as it is told") {
  const Sample before = sectile::test::patterned({24, 18});
  for (const auto& [name, flag] : {std::pair<std::string, int>("linear", cv::INTER_LINEAR),
                                   {"cubic", cv::INTER_CUBIC},
                                   {"area", cv::INTER_AREA}}) {
    CAPTURE(name);
    const auto crop =
        resized_crop({{"size", {9, 12}}, {"scale", {1, 1}}, {"ratio", {24. / 18, 24. / 18}}, {"interpolation", name}});
    cv::Mat expected;
    cv::resize(before.image, expected, {12, 9}, 0, 0, flag);
    CHECK(cv::norm(applied(*crop, before).image, expected, cv::NORM_INF) <= 1);
  }
  const auto nearest = resized_crop({{"size", {40, 40}}, {"interpolation", "nearest"}});
  const auto after = applied(*nearest, annotated());
  for (int i = 0; i < 1600; ++i) CHECK(after.image.at<cv::Vec3b>(i / 40, i % 40)[0] % 60 == 0);
}

TEST_CASE("random_resized_crop takes images of any type, and says what is wrong with its options") {
  sectile::test::check_takes_any_image(*resized_crop({{"size", {4, 3}}}));
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(resized_crop(options), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"size", {0, 3}}}, "/part/size/0");
  refused({{"scale", {0.5, 0.2}}}, "/part/scale: the minimum is greater than the maximum");
  refused({{"scale", {0.5, 1.2}}}, "/part/scale/1");
  refused({{"ratio", {2, 1}}}, "/part/ratio: the minimum is greater than the maximum");
  refused({{"ratio", {0, 1}}}, "/part/ratio/0");
}

TEST_CASE("random_resized_crop by itself makes 256 x 256 pixels") {
  CHECK(applied(*resized_crop(nlohmann::json::object()), annotated()).image.size() == cv::Size(256, 256));
}
