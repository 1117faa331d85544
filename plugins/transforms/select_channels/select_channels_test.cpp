#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample rgb_pixel() {
  Sample sample;
  sample.id = "pixel";
  sample.image = cv::Mat(1, 2, CV_16UC3, cv::Scalar(1, 2, 300));
  sample.mean = {10, 20, 30};
  sample.deviation = {5, 6, 7};
  return sample;
}

}  // namespace

TEST_CASE("select_channels keeps the channels that it names, in their order, with their mean and deviation") {
  const auto reversed = applied(*make<Transform>(R"({"type": "select_channels", "channels": [2, 1, 0]})"), rgb_pixel());
  CHECK(reversed.image.at<cv::Vec3w>(0, 1) == cv::Vec3w(300, 2, 1));
  CHECK(reversed.mean == std::vector<float>{30, 20, 10});
  CHECK(reversed.deviation == std::vector<float>{7, 6, 5});
  const auto two = applied(*make<Transform>(R"({"type": "select_channels", "channels": [1, 1]})"), rgb_pixel());
  CHECK(two.image.at<cv::Vec2w>(0, 0) == cv::Vec2w(2, 2));
  const auto all = applied(*make<Transform>(R"({"type": "select_channels"})"), rgb_pixel());
  CHECK(all.image.at<cv::Vec3w>(0, 0) == cv::Vec3w(1, 2, 300));
}

TEST_CASE("select_channels takes volumes, and one mean for all channels stays") {
  Sample volume;
  volume.id = "volume";
  volume.mean = {0.5};
  const int sizes[] = {2, 3, 4};
  volume.image = cv::Mat(3, sizes, CV_8UC2, cv::Scalar(7, 8));
  const auto one = applied(*make<Transform>(R"({"type": "select_channels", "channels": [1]})"), volume);
  CHECK(one.image.channels() == 1);
  CHECK(one.image.size[0] == 2);
  CHECK(one.image.at<std::uint8_t>(1, 2, 3) == 8);
  CHECK(one.mean == std::vector<float>{0.5});
}

TEST_CASE("select_channels says what does not fit") {
  CHECK_THROWS_WITH_AS(applied(*make<Transform>(R"({"type": "select_channels", "channels": [0, 3]})"), rgb_pixel()),
                       doctest::Contains("pixel: has 3 channels, and select_channels' \"channels\" names channel 3"),
                       sectile::DataError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "select_channels", "channels": [-1]})"), sectile::SpecError);
}

TEST_CASE("select_channels passes a sample whose image was not read") {
  auto annotation = rgb_pixel();
  annotation.image = cv::Mat();
  CHECK(applied(*make<Transform>(R"({"type": "select_channels", "channels": [0, 2]})"), annotation).image.empty());
}
