#include <algorithm>
#include <cmath>
#include <string>
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
Sample sample_to_sharpen() {
  return sectile::test::pattern_of("street", {13, 10}, 3, [](int x, int y, int c) {
    return 64 + (x * 29 + y * 57 + c * 83 + (x * y * 13) % 101) % 128;
  });
}

// A step from 100 to 140 between columns 4 and 5.
Sample step_to_sharpen(int type) {
  Sample sample = sectile::test::sheet_of(type, {10, 7}, 100);
  sample.image.colRange(5, 10).reshape(1).setTo(140);
  return sample;
}

float last_channel(const cv::Mat& image, int y, int x) {
  cv::Mat last;
  cv::extractChannel(image, last, image.channels() - 1);
  last.convertTo(last, CV_32F);
  return last.at<float>(y, x);
}

}  // namespace

TEST_CASE("sharpen gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("sharpen");
  REQUIRE(expected.size() == 5);
  for (const auto& one : expected) {
    CAPTURE(one["options"].dump());
    nlohmann::json spec = one["options"];
    spec["type"] = "sharpen";
    spec["probability"] = 1;
    const bool is_float = one["depth"] == "32F";
    auto [found, reference] = sectile::test::beside_expected(*make<Transform>(spec.dump()), sample_to_sharpen(), one);
    if (is_float) found = cv::min(cv::max(found, 0.0), 1.0);  // as albumentations clips them
    CHECK(cv::norm(found, reference, cv::NORM_INF) <= (is_float ? 1e-4 : 1.01));
  }
}

TEST_CASE("sharpen makes steps steeper, in any type and number of channels") {
  const auto kernel =
      make<Transform>(R"({"type": "sharpen", "alpha": [0.2, 0.2], "lightness": [1, 1], "probability": 1})");
  const auto gaussian =
      make<Transform>(R"({"type": "sharpen", "method": "gaussian", "alpha": [0.5, 0.5], "probability": 1})");
  // The second column of the blurred step: of the kernel exp(-x^2 / 2), five wide, what lies beyond it.
  const double sum = 1 + 2 * std::exp(-0.5) + 2 * std::exp(-2), beyond = (std::exp(-0.5) + std::exp(-2)) / sum;
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC3, CV_16SC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const cv::Mat by_kernel = applied(*kernel, step_to_sharpen(type)).image;
    REQUIRE(by_kernel.type() == type);
    CHECK(std::abs(last_channel(by_kernel, 3, 4) - (100 - 0.2 * 3 * 40)) < 1);
    CHECK(std::abs(last_channel(by_kernel, 3, 5) - (140 + 0.2 * 3 * 40)) < 1);
    CHECK(std::abs(last_channel(by_kernel, 0, 1) - 100) < 1);
    const cv::Mat by_blur = applied(*gaussian, step_to_sharpen(type)).image;
    REQUIRE(by_blur.type() == type);
    CHECK(std::abs(last_channel(by_blur, 3, 4) - (100 - 0.5 * beyond * 40)) < 1.5);
    CHECK(std::abs(last_channel(by_blur, 3, 5) - (140 + 0.5 * beyond * 40)) < 1.5);
  }
  Sample black;
  black.image = cv::Mat(3, 3, CV_8U, cv::Scalar(0));
  black.image.col(2).setTo(200);
  CHECK(applied(*gaussian, black).image.at<std::uint8_t>(1, 1) == 0);  // clipped, not wrapped around
}

TEST_CASE("sharpen draws strength and lightness within their ranges") {
  double least = 1e9, most = 0, darkest = 1e9, brightest = 0;
  std::vector<double> strengths, factors;
  const auto strength = make<Transform>(R"({"type": "sharpen", "lightness": [1, 1], "probability": 1})");
  const auto light = make<Transform>(R"({"type": "sharpen", "alpha": [1, 1], "probability": 1})");
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const double alpha = (100 - applied(*strength, step_to_sharpen(CV_32FC1), seed).image.at<float>(3, 4)) / 120.0;
    least = std::min(least, alpha), most = std::max(most, alpha);
    const double factor = applied(*light, step_to_sharpen(CV_32FC1), seed).image.at<float>(3, 1) / 100.0;
    darkest = std::min(darkest, factor), brightest = std::max(brightest, factor);
    strengths.push_back(alpha), factors.push_back(factor);
  }
  CHECK(least >= 0.1999);
  CHECK(least < 0.21);
  CHECK(most <= 0.5001);
  CHECK(most > 0.49);
  CHECK(darkest >= 0.4999);
  CHECK(darkest < 0.52);
  CHECK(brightest <= 1.0001);
  CHECK(brightest > 0.98);
  sectile::test::check_uniform(strengths, 0.2, 0.5, 1e-5);
  sectile::test::check_uniform(factors, 0.5, 1, 1e-5);
}

TEST_CASE("sharpen takes volumes slice by slice, single pixels and views, and leaves annotation alone") {
  const auto kernel =
      make<Transform>(R"({"type": "sharpen", "alpha": [0.5, 0.5], "lightness": [1, 1], "probability": 1})");
  const int sizes[] = {2, 5, 7};
  Sample volume;
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(10));
  volume.image.at<std::uint8_t>(1, 2, 3) = 20;
  const cv::Mat after = applied(*kernel, volume).image;
  CHECK(after.at<std::uint8_t>(1, 2, 3) == 60);  // 20 + 0.5 * 8 * 10
  CHECK(after.at<std::uint8_t>(1, 1, 3) == 5);
  CHECK(after.at<std::uint8_t>(0, 2, 3) == 10);
  Sample pixel;
  pixel.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(1, 2, 3));
  CHECK(applied(*kernel, pixel).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  const Sample large = sample_to_sharpen();
  Sample view = large, copy = large;
  view.image = large.image(cv::Rect(3, 2, 6, 5));
  copy.image = view.image.clone();
  for (const char* method : {"kernel", "gaussian"}) {
    const auto sharpen = make<Transform>(
        std::string(R"({"type": "sharpen", "probability": 1, "method": ")").append(method).append("\"}"));
    CHECK(cv::norm(applied(*sharpen, view).image, applied(*sharpen, copy).image, cv::NORM_INF) == 0);
  }

  sectile::test::check_applied_half_the_time("sharpen");
}

TEST_CASE("sharpen refuses options of the other method, and values that make no sense") {
  const auto refused = [](const char* options, const char* problem) {
    CHECK_THROWS_WITH_AS(make<Transform>(std::string(R"({"type": "sharpen", )").append(options).append("}")),
                         doctest::Contains(problem), sectile::SpecError);
  };
  refused(R"("kernel_size": 5)", "/part/kernel_size: has no effect with this method: expected only with method gauss");
  refused(R"("sigma": 1)", "/part/sigma: has no effect");
  refused(R"("method": "gaussian", "lightness": [1, 1])", "/part/lightness: has no effect");
  refused(R"("alpha": [0.5, 0.2])", "/part/alpha: the minimum is greater");
  refused(R"("alpha": [0.5, 2])", "/part/alpha/1: ");
  refused(R"("lightness": [1, 0.5])", "/part/lightness: the minimum is greater");
  refused(R"("method": "gaussian", "kernel_size": 4)", "/part/kernel_size: 4 is even; expected an odd number");
  refused(R"("method": "gaussian", "sigma": 0)", "/part/sigma: must be more than 0");
}
