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
Sample sample_to_blur() {
  return sectile::test::pattern_of(
      "street", {13, 10}, 3, [](int x, int y, int c) { return (x * 29 + y * 57 + c * 83 + (x * y * 13) % 101) % 256; });
}

// One bright pixel in the middle of each slice or image, whose blur is the kernel.
Sample point_to_blur(const std::vector<int>& sizes, int type, double value) {
  Sample sample;
  sample.id = "point";
  sample.image = cv::Mat(static_cast<int>(sizes.size()), sizes.data(), type, cv::Scalar(0));
  const int y = sizes.end()[-2] / 2, x = sizes.end()[-1] / 2;
  auto* const middle = sizes.size() == 2 ? sample.image.ptr(y, x) : sample.image.ptr(sizes[0] / 2, y, x);
  cv::Mat(1, 1, type, middle).reshape(1).setTo(value);
  return sample;
}

}  // namespace

TEST_CASE("gaussian_blur gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("gaussian_blur");
  REQUIRE(expected.size() == 4);
  for (const auto& one : expected) {
    CAPTURE(one["sigma"].get<double>());
    const nlohmann::json spec = {{"type", "gaussian_blur"},
                                 {"blur_limit", {one["size"], one["size"]}},
                                 {"sigma_limit", {one["sigma"], one["sigma"]}},
                                 {"probability", 1}};
    const bool is_float = one["depth"] == "32F";
    const auto [found, reference] =
        sectile::test::beside_expected(*make<Transform>(spec.dump()), sample_to_blur(), one);
    const double level = is_float ? 1 / 255.0 : 1;
    CHECK(cv::norm(found, reference, cv::NORM_L1) / static_cast<double>(found.total()) < 0.5 * level);
    CHECK(cv::norm(found, reference, cv::NORM_INF) <= 2.01 * level);
  }
}

TEST_CASE("gaussian_blur blurs any type and number of channels, and the slices of a volume by themselves") {
  const auto blur =
      make<Transform>(R"({"type": "gaussian_blur", "sigma_limit": [1, 1], "blur_limit": [7, 7], "probability": 1})");
  const double middle = 0.1592;  // of the kernel: (1 / (1 + 2 e^-0.5 + 2 e^-2 + 2 e^-4.5))^2
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC3, CV_16SC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const cv::Mat after = applied(*blur, point_to_blur({15, 17}, type, 250)).image;
    REQUIRE(after.type() == type);
    cv::Mat last;
    cv::extractChannel(after, last, after.channels() - 1);
    last.convertTo(last, CV_32F);
    CHECK(std::abs(last.at<float>(7, 8) - 250 * middle) <= 1);
    CHECK(last.at<float>(7, 8 + 4) == 0);
    CHECK(last.at<float>(7, 8 + 1) > 20);
  }
  const cv::Mat volume = applied(*blur, point_to_blur({3, 9, 9}, CV_32FC1, 250)).image;
  CHECK(std::abs(volume.at<float>(1, 4, 4) - 250 * middle) <= 0.1);
  CHECK(volume.at<float>(0, 4, 4) == 0);
  CHECK(volume.at<float>(2, 4, 4) == 0);
}

TEST_CASE("gaussian_blur leaves an image of one pixel, and sees nothing outside a view of a larger image") {
  const auto blur = make<Transform>(R"({"type": "gaussian_blur", "probability": 1})");
  CHECK(applied(*blur, point_to_blur({1, 1}, CV_8UC3, 77)).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(77, 77, 77));
  const Sample large = sample_to_blur();
  Sample view = large, copy = large;
  view.image = large.image(cv::Rect(3, 2, 6, 5));
  copy.image = view.image.clone();
  CHECK(cv::norm(applied(*blur, view).image, applied(*blur, copy).image, cv::NORM_INF) == 0);
}

TEST_CASE("gaussian_blur draws sigma and size within their limits, and leaves annotation alone") {
  // The kernel's width shows where a bright point gets to.
  const auto widths = [](const char* json) {
    const auto blur = make<Transform>(json);
    std::map<int, int> counts;
    for (std::uint64_t seed = 0; seed < 400; ++seed) {
      const cv::Mat after = applied(*blur, point_to_blur({1, 31}, CV_32FC1, 1), seed).image;
      ++counts[cv::countNonZero(after)];
    }
    return counts;
  };
  const auto given =
      widths(R"({"type": "gaussian_blur", "blur_limit": [3, 7], "sigma_limit": [2, 2], "probability": 1})");
  REQUIRE(given.size() == 3);  // 3; 4 and 5; 6 and 7
  CHECK(given.at(3) > 50);
  CHECK(given.at(3) < 110);
  CHECK(given.at(5) > 120);
  CHECK(given.at(7) > 120);
  const auto by_sigma = widths(R"({"type": "gaussian_blur", "sigma_limit": [0.5, 3], "probability": 1})");
  CHECK(by_sigma.begin()->first == 3);    // 2 * floor(3.5 * 0.5) + 1
  CHECK(by_sigma.rbegin()->first == 21);  // 2 * floor(3.5 * 2.99) + 1
  CHECK(by_sigma.size() == 10);

  const Sample annotated = sectile::test::annotated();
  const auto often = make<Transform>(R"({"type": "gaussian_blur", "probability": 0.25})");
  int blurred = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const Sample after = applied(*often, annotated, seed);
    blurred += after.image.data != annotated.image.data;
    CHECK(after.labels.data == annotated.labels.data);
  }
  CHECK(blurred > 200);
  CHECK(blurred < 300);
  for (const char* json : {R"({"type": "gaussian_blur", "probability": 0})",
                           R"({"type": "gaussian_blur", "probability": 1, "sigma_limit": [0, 0]})"})
    CHECK(applied(*make<Transform>(json), annotated).image.data == annotated.image.data);
}

TEST_CASE("gaussian_blur refuses limits in the wrong order and out of range") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "gaussian_blur", "blur_limit": [7, 3]})"),
                       doctest::Contains("/part/blur_limit: the minimum is greater"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "gaussian_blur", "sigma_limit": [3, 1]})"),
                       doctest::Contains("/part/sigma_limit: the minimum is greater"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "gaussian_blur", "sigma_limit": [-1, 1]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "gaussian_blur", "blur_limit": [0, 2000]})"), sectile::SpecError);
}

TEST_CASE("gaussian_blur draws sigma uniformly, like albumentations") {
  const auto blur = make<Transform>(R"({"type": "gaussian_blur", "probability": 1})");
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const cv::Mat after = applied(*blur, point_to_blur({1, 31}, CV_32FC1, 1), seed).image;
    const double beside = after.at<float>(0, 16) / after.at<float>(0, 15);  // exp(-1 / (2 sigma^2))
    drawn.push_back(std::sqrt(-0.5 / std::log(beside)));
  }
  sectile::test::check_uniform(drawn, 0.5, 3, 1e-3);
}
