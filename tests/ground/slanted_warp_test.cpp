// Rotations, perspectives and displacements are sampled by a faster way than volumes: both must agree.
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/test.h"
#include "support/warps.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// A volume of one slice goes through the plain sampler.
cv::Mat after_plain_sampler(const Warp& warp, const cv::Mat& pixels) {
  const int sizes[] = {1, pixels.rows, pixels.cols};
  const cv::Mat after = sectile::warped(pixels.clone().reshape(0, 3, sizes), warp, warp.interpolation, warp.image_fill);
  const int flat[] = {after.size[1], after.size[2]};
  return after.reshape(0, 2, flat);
}

Warp displaced(const Extent& size, double most, std::uint64_t seed) {
  Warp warp = Warp::crop(0, 0, 0, size);
  warp.displacement = cv::Mat(size.height, size.width, CV_32FC3, cv::Scalar::all(0));
  sectile::Random random{seed};
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x)
      for (int axis = 0; axis < 2; ++axis)
        warp.displacement.at<cv::Vec3f>(y, x)[axis] = static_cast<float>(random.uniform(-most, most));
  return warp;
}

Warp in_perspective(const Extent& size, double right, double down) {
  Warp warp = rotated(size, size, 10);
  warp.to_input(3, 0) = right, warp.to_input(3, 1) = down;
  return warp;
}

struct SlantedCase {
  const char* name;
  Warp warp;
};
std::vector<SlantedCase> slanted_cases(const Extent& size) {
  Warp sheared = Warp::crop(-3, 2, 0, {1, 29, 57});
  sheared.to_input(0, 1) = 0.3;
  Warp shaken = rotated(size, {1, 40, 40}, -70);
  shaken.displacement = displaced({1, 40, 40}, 3, 5).displacement;
  return {{"inside", rotated(size, {1, 9, 11}, 25)},
          {"with the outside", rotated(size, {1, 60, 70}, 25)},
          {"sheared", sheared},
          {"displaced", displaced(size, 4, 1)},
          {"rotated and displaced", shaken},
          {"perspective", in_perspective(size, 0.004, -0.003)},
          {"beyond the horizon", in_perspective(size, -0.05, 0)}};
}

}  // namespace

TEST_CASE("slanted warps of any type and number of channels are those of the plain sampler") {
  for (const cv::Size size : {cv::Size(43, 31), cv::Size(1, 1), cv::Size(1, 20), cv::Size(20, 1), cv::Size(2, 2)})
    for (const int type : {CV_8UC1, CV_8UC2, CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC1, CV_16UC3, CV_16SC1, CV_16SC3,
                           CV_32FC1, CV_32FC3, CV_32FC4})
      for (auto& [name, warp] : slanted_cases({1, size.height, size.width})) {
        CAPTURE(std::string(name));
        CAPTURE(cv::typeToString(type));
        CAPTURE(size.width);
        const cv::Mat pixels = noise(size, type);
        warp.image_fill = {7};
        for (const auto how : {Interpolation::nearest, Interpolation::linear, Interpolation::cubic}) {
          const cv::Mat found = image_after(with(warp, how), pixels);
          const double allowed = how == Interpolation::nearest ? 0 : pixels.depth() == CV_32F ? 5e-4 : 1;
          CHECK(difference(found, after_plain_sampler(with(warp, how), pixels)) <= allowed);
        }
      }
}

TEST_CASE("a slanted warp of a part of an image sees nothing beside it") {
  const cv::Mat large = noise({60, 50}, CV_8UC3);
  const cv::Mat part = large(cv::Rect(17, 19, 43, 31));  // up to the last pixel in memory
  for (auto& [name, warp] : slanted_cases({1, 31, 43})) {
    CAPTURE(std::string(name));
    for (const auto how : {Interpolation::nearest, Interpolation::linear, Interpolation::cubic})
      CHECK(difference(image_after(with(warp, how), part), image_after(with(warp, how), part.clone())) == 0);
  }
}

TEST_CASE("annotation of all kinds moves with the pixels through slanted warps") {
  const Sample before = annotated({43, 31});
  for (auto& [name, warp] : slanted_cases({1, 31, 43})) {
    if (!warp.displacement.empty()) continue;  // the record of the geometry is of matrices
    CAPTURE(std::string(name));
    Sample after = annotated({43, 31});
    apply(with(warp, Interpolation::nearest), after);
    CHECK(cv::countNonZero(after.labels != after.targets.at("nearest")) == 0);
    for (int y = 0; y < after.labels.rows; ++y)
      for (int x = 0; x < after.labels.cols; ++x) {
        const auto label = after.labels.at<std::int16_t>(y, x);
        if (label == kIgnore) continue;
        REQUIRE(after.image.at<cv::Vec3b>(y, x)[0] == 60 * label);
        REQUIRE(after.segment_ids.at<std::int32_t>(y, x) == 100 + label);
        const auto at = moved_position(after.geometry.to_original, {x + 0.5, y + 0.5, 0.5});
        REQUIRE(before.labels.at<std::int16_t>(cvFloor(at[1] + 1e-9), cvFloor(at[0] + 1e-9)) == label);
      }
  }
}

TEST_CASE("a perspective fused with other warps is the same as one after the other") {
  const Extent size{1, 31, 43};
  const Warp first = in_perspective(size, 0.004, -0.003), second = displaced(size, 2, 3);
  Sample fused_once = image_of(noise({43, 31}, CV_32FC1)), in_a_row = fused_once;
  for (auto* sample : {&fused_once, &in_a_row}) sample->labels = noise({43, 31}, CV_16SC1, 2);
  const Warp both = fused(first, second);
  apply(both, fused_once);
  for (int y = 0; y < 31; ++y)
    for (int x = 0; x < 43; ++x) {
      const auto shift = cv::Vec3d(second.displacement.at<cv::Vec3f>(y, x));
      const auto at = moved_position(first.to_input, cv::Vec3d(x + 0.5, y + 0.5, 0.5) + shift);
      const auto joined =
          moved_position(both.to_input, {x + 0.5, y + 0.5, 0.5}) + cv::Vec3d(both.displacement.at<cv::Vec3f>(y, x));
      CHECK(cv::norm(at - joined) < 1e-4);
    }
}

TEST_CASE("a perspective of a volume is refused") {
  const int sizes[] = {3, 8, 8};
  Sample volume = image_of(cv::Mat(3, sizes, CV_8U, cv::Scalar(0)));
  Warp warp = Warp::crop(0, 0, 0, {3, 8, 8});
  warp.to_input(3, 0) = 0.01;
  CHECK_THROWS_WITH_AS(apply(warp, volume), doctest::Contains("street: is a volume; a perspective is for images"),
                       sectile::DataError);
}
