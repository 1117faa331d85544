#include <algorithm>
#include <cstdlib>

#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample to_gray_sample(int channels) { return sectile::test::scattered_pattern("colors", {7, 6}, channels); }

std::shared_ptr<Transform> to_gray(const std::string& method, int channels = 0) {
  nlohmann::json options = {{"type", "to_gray"}, {"method", method}, {"probability", 1}};
  if (channels > 0) options["num_output_channels"] = channels;
  return make<Transform>(options.dump());
}

}  // namespace

TEST_CASE("to_gray gives the values of albumentations 2.0.8 by each method") {
  const auto& expected = sectile::test::expected_of_transform("to_gray");
  REQUIRE(expected.size() == 10);
  for (const auto& one : expected) {
    const auto method = one["method"].get<std::string>();
    const int channels = one["channels"];
    CAPTURE(method);
    CAPTURE(channels);
    const auto before = to_gray_sample(channels), untouched = to_gray_sample(channels);
    const auto values = one["values"].get<std::vector<int>>();
    const auto single = applied(*to_gray(method, 1), before).image, same = applied(*to_gray(method), before).image;
    REQUIRE(single.type() == CV_8UC1);
    REQUIRE(same.type() == CV_8UC(channels));
    const bool exact = method != "pca" && method != "from_lab";  // computed in floating point
    int most = 0, unequal = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      most = std::max(most, std::abs(values[i] - single.data[i]));
      for (int c = 0; c < channels; ++c)
        unequal += same.data[i * static_cast<std::size_t>(channels) + static_cast<std::size_t>(c)] != single.data[i];
    }
    CHECK(most <= (exact ? 0 : 1));
    CHECK(unequal == 0);
    CHECK(cv::norm(before.image, untouched.image, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("to_gray gives 16-bit, float images and volumes the values of 8-bit images") {
  for (const char* method : {"weighted_average", "from_lab", "desaturation", "average", "max", "pca"}) {
    CAPTURE(method);
    const auto change = to_gray(method);
    const auto bytes = to_gray_sample(3);
    const auto expected = applied(*change, bytes).image;
    Sample sample = bytes;
    cv::Mat back;
    bytes.image.convertTo(sample.image, CV_16U, 257);
    const auto wide = applied(*change, sample).image;
    REQUIRE(wide.type() == CV_16UC3);
    wide.convertTo(back, CV_8U, 1. / 257);
    CHECK(cv::norm(back, expected, cv::NORM_INF) <= 1);
    bytes.image.convertTo(sample.image, CV_32F, 1. / 255);
    const auto real = applied(*change, sample).image;
    REQUIRE(real.type() == CV_32FC3);
    real.convertTo(back, CV_8U, 255);
    CHECK(cv::norm(back, expected, cv::NORM_INF) <= 1);
    const int sizes[] = {2, 3, 7};
    sample.image = bytes.image.reshape(3, 3, sizes);
    const auto volume = applied(*change, sample).image;
    REQUIRE(volume.dims == 3);
    REQUIRE(volume.size[1] == 3);
    CHECK(std::equal(volume.data, volume.data + 6 * 7 * 3, expected.data));
    sample.image = bytes.image(cv::Rect(2, 1, 1, 1));  // one pixel, a view
    CHECK(applied(*change, sample).image.size() == cv::Size(1, 1));
  }
}

TEST_CASE("to_gray repeats images of one channel, and takes unread ones") {
  auto sample = to_gray_sample(1);
  CHECK(applied(*to_gray("pca"), sample).image.data == sample.image.data);
  const auto three = applied(*to_gray("weighted_average", 3), sample).image;
  REQUIRE(three.channels() == 3);
  CHECK(three.at<cv::Vec3b>(5, 6) == cv::Vec3b::all(sample.image.at<std::uint8_t>(5, 6)));
  sample.image = cv::Mat();
  CHECK(applied(*to_gray("average"), sample).image.empty());
}

TEST_CASE("to_gray is applied as often as its probability says, and leaves annotation alone") {
  sectile::test::check_applied_half_the_time("to_gray");
}

TEST_CASE("to_gray says what does not fit") {
  auto sample = to_gray_sample(4);
  CHECK_THROWS_WITH_AS(applied(*to_gray("weighted_average"), sample), doctest::Contains("colors: has 4 channels"),
                       sectile::DataError);
  CHECK_THROWS_WITH_AS(applied(*to_gray("from_lab"), sample), doctest::Contains("colors: has 4 channels"),
                       sectile::DataError);
  sample.mean = {1, 2, 3, 4};
  CHECK_THROWS_WITH_AS(applied(*to_gray("max", 1), sample), doctest::Contains("put \"normalize\" after"),
                       sectile::DataError);
  CHECK(applied(*to_gray("max"), sample).mean == sample.mean);
  sample.image = cv::Mat::zeros(2, 2, CV_16SC3);
  CHECK_THROWS_WITH_AS(applied(*to_gray("max"), sample), doctest::Contains("16SC3"), sectile::DataError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "to_gray", "method": "luma"})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "to_gray", "num_output_channels": 0})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "to_gray", "probability": 2})"), sectile::SpecError);
}
