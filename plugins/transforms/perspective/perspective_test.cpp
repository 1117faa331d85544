#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/patterned.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;

namespace {

std::shared_ptr<Transform> perspective_with(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("perspective", std::move(options), context);
}

Sample black(int height, int width) { return sectile::test::sheet_of(CV_8U, {width, height}, 0); }

// The corners of the result, clockwise from the upper left, in the sample.
std::array<cv::Point2f, 4> shown_corners(const sectile::Warp& warp) {
  std::array<cv::Point2f, 4> corners;
  const double w = warp.size.width, h = warp.size.height;
  const cv::Vec3d ends[] = {{0, 0, 0.5}, {w, 0, 0.5}, {w, h, 0.5}, {0, h, 0.5}};
  for (std::size_t i = 0; i < 4; ++i) {
    const auto at = sectile::moved_position(warp.to_input, ends[i]);
    corners[i] = cv::Point2f(static_cast<float>(at[0]), static_cast<float>(at[1]));
  }
  return corners;
}

cv::Matx33d planar(const cv::Matx44d& m) {
  return {m(0, 0), m(0, 1), m(0, 3), m(1, 0), m(1, 1), m(1, 3), m(3, 0), m(3, 1), m(3, 3)};
}

}  // namespace

TEST_CASE("perspective is OpenCV's projective transform of its four corners") {
  const Sample sample = sectile::test::patterned({64, 48});
  const auto perspective = perspective_with({{"scale", {0.1, 0.1}}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto warp = sectile::test::drawn_warp(*perspective, sample, seed);
    const cv::Point2f result[] = {{0, 0}, {64, 0}, {64, 48}, {0, 48}};
    const cv::Matx33d expected = cv::getPerspectiveTransform(result, shown_corners(warp).data());
    const cv::Matx33d found = planar(warp.to_input) * (1 / warp.to_input(3, 3));
    for (int i = 0; i < 9; ++i) CHECK(std::abs(found.val[i] - expected.val[i]) < (i < 6 ? 1e-3 : 1e-5));

    const cv::Matx33d half{1, 0, 0.5, 0, 1, 0.5, 0, 0, 1};  // OpenCV counts from the centers of pixels
    cv::Mat image;
    cv::warpPerspective(sample.image, image, half.inv() * found * half, sample.image.size(),
                        cv::INTER_LINEAR | cv::WARP_INVERSE_MAP, cv::BORDER_REPLICATE);
    cv::Mat difference;
    cv::absdiff(image, applied(*perspective, sample, seed).image, difference);
    CHECK(cv::mean(difference)[0] <= 1);
  }
}

// 500 times eight numbers: five standard errors of the mean, and a tenth of the deviation.
TEST_CASE("perspective moves corners inwards with the distribution of albumentations 2.0.8") {
  const auto expected = sectile::test::expected_of_transform("perspective");
  REQUIRE(expected.size() == 3);
  for (const auto& one : expected) {
    CAPTURE(one.dump());
    const auto perspective = perspective_with({{"scale", {one["scale"], one["scale"]}}});
    double sum = 0, squares = 0, largest = 0;
    for (std::uint64_t seed = 0; seed < 500; ++seed) {
      const auto corners = shown_corners(sectile::test::drawn_warp(*perspective, black(100, 200), seed));
      for (std::size_t i = 0; i < 4; ++i) {
        const double x = corners[i].x / 200, y = corners[i].y / 100;
        for (const double jitter : {i == 1 || i == 2 ? 1 - x : x, i >= 2 ? 1 - y : y}) {
          CHECK(jitter > -1e-5);
          sum += jitter, squares += jitter * jitter, largest = std::max(largest, jitter);
        }
      }
    }
    const double mean = sum / 4000, deviation = std::sqrt(squares / 4000 - mean * mean);
    CHECK(std::abs(mean - one["mean"].get<double>()) < 5 * one["deviation"].get<double>() / std::sqrt(4000));
    CHECK(std::abs(deviation - one["deviation"].get<double>()) < 0.1 * one["deviation"].get<double>());
    CHECK(largest <= 0.32 + 1e-5);
  }
}

TEST_CASE("perspective keeps the image's size, or that of the part it shows") {
  const auto own_size = perspective_with({{"keep_size", false}, {"scale", {0.1, 0.1}}});
  const auto kept = perspective_with({{"scale", {0.1, 0.1}}});
  for (std::uint64_t seed = 0; seed < 30; ++seed) {
    const auto warp = sectile::test::drawn_warp(*own_size, black(100, 200), seed);
    const auto corners = shown_corners(warp);
    const double width = std::max(cv::norm(corners[1] - corners[0]), cv::norm(corners[2] - corners[3]));
    const double height = std::max(cv::norm(corners[3] - corners[0]), cv::norm(corners[2] - corners[1]));
    CHECK(std::abs(warp.size.width + 0.5 - width) <= 0.501);
    CHECK(std::abs(warp.size.height + 0.5 - height) <= 0.501);
    const auto same = sectile::test::drawn_warp(*kept, black(100, 200), seed);
    CHECK(same.size == sectile::Extent{1, 100, 200});
    for (std::size_t i = 0; i < 4; ++i) CHECK(cv::norm(shown_corners(same)[i] - corners[i]) < 1e-3);
  }
}

TEST_CASE("perspective that shows the whole image loses none of it") {
  for (const bool keep_size : {true, false}) {
    const auto whole = perspective_with({{"keep_size", keep_size}, {"fit_output", true}, {"scale", {0.1, 0.1}}});
    for (std::uint64_t seed = 0; seed < 60; ++seed) {
      const auto warp = sectile::test::drawn_warp(*whole, black(100, 200), seed);
      const cv::Matx33d to_result = planar(warp.to_input).inv();
      double low[2] = {1e9, 1e9}, high[2] = {-1e9, -1e9};
      for (const cv::Point at : {cv::Point(0, 0), cv::Point(200, 0), cv::Point(0, 100), cv::Point(200, 100)}) {
        const cv::Vec3d there = to_result * cv::Vec3d(at.x, at.y, 1);
        for (int axis = 0; axis < 2; ++axis)
          low[axis] = std::min(low[axis], there[axis] / there[2]),
          high[axis] = std::max(high[axis], there[axis] / there[2]);
      }
      CHECK(std::abs(low[0]) < 1e-6);
      CHECK(std::abs(low[1]) < 1e-6);
      CHECK(std::abs(high[0] - warp.size.width) < 1e-6);
      CHECK(std::abs(high[1] - warp.size.height) < 1e-6);
      if (keep_size) CHECK(warp.size == sectile::Extent{1, 100, 200});
    }
  }
}

TEST_CASE("perspective moves labels, masks and boxes with the image") {
  const auto before = annotated();
  const auto perspective = perspective_with({{"interpolation", "nearest"}, {"fill", 60}, {"fit_output", true}});
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto after = applied(*perspective, before, seed);
    int wrong = 0;
    for (int y = 0; y < after.image.rows; ++y)
      for (int x = 0; x < after.image.cols; ++x) {
        const int label = after.labels.at<std::int16_t>(y, x);
        wrong += after.image.at<cv::Vec3b>(y, x)[0] != (label == sectile::kIgnore ? 60 : 60 * label);
      }
    CHECK(wrong == 0);
    for (const auto& instance : after.instances) {
      const cv::Mat bits = after.labels == instance.category;
      const cv::Rect2f seen = sectile::Mask(cv::Mat(bits / 255)).box();
      if (instance.mask.empty()) {
        CHECK((instance.box & seen).area() > 0.7f * seen.area());  // which is of whole pixels
      } else {
        CHECK(cv::norm(instance.mask.bitmap() * 255, bits, cv::NORM_INF) == 0);
        CHECK(instance.box == seen);
      }
    }
  }
}

TEST_CASE("perspective warps each slice of a volume alike, and takes images of any type") {
  Sample flat = sectile::test::patterned({33, 21}), volume;
  const int sizes[] = {2, 21, 33};
  volume.image = cv::Mat(3, sizes, CV_8U);
  for (int z = 0; z < 2; ++z) std::copy_n(flat.image.data, 21 * 33, volume.image.ptr(z));
  const auto perspective = perspective_with({{"scale", {0.1, 0.1}}});
  const cv::Mat expected = applied(*perspective, flat, 3).image;
  cv::Mat after = applied(*perspective, volume, 3).image;
  for (int z = 0; z < 2; ++z) CHECK(cv::norm(cv::Mat(21, 33, CV_8U, after.ptr(z)), expected, cv::NORM_INF) <= 1);
  sectile::test::check_takes_any_image(*perspective);
  sectile::test::check_takes_any_image(*perspective_with({{"keep_size", false}, {"fit_output", true}}));
}

TEST_CASE("perspective without distances, or with a probability of 0, changes nothing") {
  const auto before = annotated();
  CHECK(applied(*perspective_with({{"scale", {0, 0}}}), before).image.data == before.image.data);
  CHECK(applied(*perspective_with({{"probability", 0}}), before).image.data == before.image.data);
  const auto context = sectile::test::context(4);
  const auto whole = perspective_with(
      {{"fit_output", true}, {"scale", {0.2, 0.2}}, {"fill", {1, 2, 3}}, {"label_fill", "2"}}, context);
  const auto after = applied(*whole, before);
  int filled = 0;
  for (int i = 0; i < static_cast<int>(after.image.total()); ++i)
    filled += after.image.at<cv::Vec3b>(i / 23, i % 23) == cv::Vec3b(1, 2, 3);
  CHECK(filled > 0);
  CHECK(cv::countNonZero(after.labels == sectile::kIgnore) == 0);
  CHECK_THROWS_WITH_AS(perspective_with({{"scale", {0.2, 0.1}}}),
                       doctest::Contains("/part/scale: the minimum is greater than the maximum"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(perspective_with({{"scale", {-0.2, 0.1}}}), doctest::Contains("/part/scale/0"),
                       sectile::SpecError);
}

// Of the distances' squares, the mean is that of the squares of scale.
TEST_CASE("perspective draws its scale uniformly, like albumentations") {
  const auto perspective = perspective_with({{"scale", {0, 0.1}}});
  double squares = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    const auto corners = shown_corners(sectile::test::drawn_warp(*perspective, black(100, 200), seed));
    squares += std::pow(corners[0].x / 200, 2) + std::pow(corners[2].y / 100 - 1, 2);
  }
  CHECK(std::abs(squares / 2000 / (0.01 / 3) - 1) < 0.15);  // four standard deviations
}

TEST_CASE("perspective that shows the whole image draws again what would be more than four times as large") {
  const auto whole = perspective_with({{"keep_size", false}, {"fit_output", true}, {"scale", {0.3, 0.3}}});
  int larger = 0;
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto warp = sectile::test::drawn_warp(*whole, black(100, 200), seed);
    CHECK(warp.size.width <= 4 * std::hypot(200, 100));
    CHECK(warp.size.height <= 4 * std::hypot(200, 100));
    larger += warp.size.width > 200;
  }
  CHECK(larger > 100);
}
