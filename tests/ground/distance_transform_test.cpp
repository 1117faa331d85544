#include <cmath>
#include <fstream>
#include <limits>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include <sectile/data/distance_transform.h>
#include <sectile/error.h>
#include <sectile/random.h>

#include "support/test.h"

using namespace sectile;

namespace {

struct DistanceCase {
  std::uint64_t index;
  cv::Mat mask;
  cv::Vec3d spacing{1, 1, 1};
  std::vector<double> factors{};
};

// That of distance_transform.py.
DistanceCase distance_case(const nlohmann::json& expected, std::uint64_t index) {
  const auto& sizes = expected["sizes"];
  const auto size = sizes[index % sizes.size()].get<std::vector<int>>();
  const auto& shares = expected["shares"];
  const auto share = shares[index / sizes.size() % shares.size()].get<double>();
  DistanceCase made{.index = index, .mask = cv::Mat(static_cast<int>(size.size()), size.data(), CV_8U)};
  Random drawn{index, 0}, spacings{index, 1}, factors{index, 2};
  for (std::size_t i = 0; i < made.mask.total(); ++i) {
    made.mask.ptr()[i] = drawn.uniform() < share ? static_cast<std::uint8_t>(1 + i % 255) : 0;
    made.factors.push_back(factors.uniform());
  }
  made.mask.ptr()[index % made.mask.total()] = 1;
  if (index % 3 != 0)
    for (int axis = 0; axis < 3; ++axis) made.spacing[axis] = std::exp(-2 + 4 * spacings.uniform());
  return made;
}

}  // namespace

TEST_CASE("distances to a mask equal scipy's, of 200 images and volumes of any spacing") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/ground/distance_transform.json");
  const auto expected = nlohmann::json::parse(file);
  REQUIRE(expected["results"].size() == 200);
  for (std::uint64_t index = 0; index < 200; ++index) {
    CAPTURE(index);
    const auto one = distance_case(expected, index);
    const auto distances = distance_transform(one.mask, one.spacing),
               squared = squared_distance_transform(one.mask, one.spacing);
    REQUIRE(distances.type() == CV_64FC1);
    REQUIRE(distances.size == one.mask.size);
    double sum = 0, product = 0, largest = 0;
    for (std::size_t i = 0; i < one.factors.size(); ++i) {
      const double distance = distances.ptr<double>()[i];
      sum += distance, product += distance * one.factors[i], largest = std::max(largest, distance);
      CHECK(std::abs(squared.ptr<double>()[i] - distance * distance) <= 1e-12 * (1 + distance * distance));
    }
    const auto pixels = static_cast<double>(one.factors.size());
    const auto& result = expected["results"][index];
    CHECK(std::abs(sum / pixels - result[0].get<double>()) <= 1e-9);
    CHECK(std::abs(product / pixels - result[1].get<double>()) <= 1e-9);
    CHECK(std::abs(largest - result[2].get<double>()) <= 1e-9);
  }
}

TEST_CASE("distances are those to the nearest pixel of the mask") {
  const cv::Mat mask = (cv::Mat_<std::uint8_t>(2, 4) << 0, 0, 0, 255, 7, 0, 0, 0);
  const auto found = squared_distance_transform(mask, {2, 3, 0});  // a spacing that an image does not have
  const cv::Mat expected = (cv::Mat_<double>(2, 4) << 9, 13, 4, 0, 0, 4, 13, 9);
  CHECK(cv::countNonZero(found != expected) == 0);
}

TEST_CASE("distances to a mask that covers nothing are infinite, and none where there is no pixel") {
  for (const auto& size : {std::vector<int>{3, 4}, {2, 3, 4}, {1, 1}}) {
    const auto found = distance_transform(cv::Mat(static_cast<int>(size.size()), size.data(), CV_8U, cv::Scalar(0)));
    for (std::size_t i = 0; i < found.total(); ++i)
      CHECK(found.ptr<double>()[i] == std::numeric_limits<double>::infinity());
  }
  CHECK(distance_transform(cv::Mat()).empty());
}

TEST_CASE("a view of a mask has the distances of its copy") {
  cv::Mat mask(20, 30, CV_8U, cv::Scalar(0)), volume({4, 20, 30}, CV_8U, cv::Scalar(0));
  Random random{5};
  for (int i = 0; i < 9; ++i) {
    mask.at<std::uint8_t>(static_cast<int>(random.below(20)), static_cast<int>(random.below(30))) = 1;
    volume.at<std::uint8_t>(static_cast<int>(random.below(4)), static_cast<int>(random.below(20)),
                            static_cast<int>(random.below(30))) = 1;
  }
  const auto part = mask(cv::Rect(3, 2, 21, 15));
  CHECK(cv::countNonZero(distance_transform(part) != distance_transform(part.clone())) == 0);
  const cv::Range ranges[] = {{1, 4}, {2, 19}, {5, 26}};
  const cv::Mat box = volume(ranges);
  const auto of_view = distance_transform(box), of_copy = distance_transform(box.clone());
  for (std::size_t i = 0; i < of_copy.total(); ++i) CHECK(of_view.ptr<double>()[i] == of_copy.ptr<double>()[i]);
}

TEST_CASE("distances say which masks and spacings they take") {
  const cv::Mat mask(3, 3, CV_8U, cv::Scalar(1));
  CHECK_THROWS_WITH_AS(distance_transform(cv::Mat(3, 3, CV_32F)),
                       doctest::Contains("the mask has 2 axes and values of OpenCV's type CV_32FC1; expected H x W or "
                                         "D x H x W of CV_8UC1"),
                       DataError);
  CHECK_THROWS_AS(distance_transform(cv::Mat({2, 2, 2, 2}, CV_8U)), DataError);
  for (const double spacing : {0., -1., std::nan(""), std::numeric_limits<double>::infinity()})
    CHECK_THROWS_WITH_AS(distance_transform(mask, {1, spacing, 1}),
                         doctest::Contains("expected a finite size of a pixel above 0"), DataError);
  CHECK_THROWS_WITH_AS(distance_transform(mask, {-1, 1, 1}), doctest::Contains("the spacing of axis x is -1.0"),
                       DataError);
}
