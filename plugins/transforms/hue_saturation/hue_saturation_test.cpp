#include <algorithm>
#include <cmath>
#include <cstdlib>

#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

// As in expected.py: scattered colors, and grey pixels in the first row.
Sample hue_sample() {
  Sample sample = sectile::test::scattered_pattern("colors", {11, 9});
  for (int x = 0; x < 11; ++x) {
    auto& pixel = sample.image.at<cv::Vec3b>(0, x);
    pixel = cv::Vec3b::all(pixel[0]);
  }
  return sample;
}

std::shared_ptr<Transform> hue_shift(double hue, double saturation, double value) {
  return make<Transform>(nlohmann::json{
      {"type", "hue_saturation"},
      {"hue_shift_limit", {hue, hue}},
      {"sat_shift_limit", {saturation, saturation}},
      {"val_shift_limit", {value, value}},
      {"probability", 1}}.dump());
}

cv::Vec3f hue_shifted(const cv::Scalar& color, double hue, double saturation, double value) {
  Sample sample;
  sample.image = cv::Mat(1, 1, CV_32FC3, color);
  return applied(*hue_shift(hue, saturation, value), sample).image.at<cv::Vec3f>(0, 0);
}

bool hue_near(const cv::Vec3f& a, const cv::Vec3f& b) { return cv::norm(a - b) < 1e-4; }

}  // namespace

TEST_CASE("hue_saturation gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("hue_saturation");
  REQUIRE(expected.size() == 7);
  const auto before = hue_sample(), untouched = hue_sample();
  for (const auto& one : expected) {
    const auto shift = one["shift"].get<std::vector<double>>();
    CAPTURE(one["shift"].dump());
    const auto after = applied(*hue_shift(shift[0], shift[1], shift[2]), before).image;
    const auto values = one["values"].get<std::vector<int>>();
    REQUIRE(values.size() == after.total() * 3);
    int most = 0, differing = 0;
    for (std::size_t i = 0; i < values.size(); ++i) {
      const int difference = std::abs(values[i] - after.data[i]);
      most = std::max(most, difference), differing += difference > 0;
    }
    CHECK(most <= 1);  // versions of OpenCV round some HSV to RGB otherwise
    CHECK(differing <= 3);
    CHECK(cv::norm(before.image, untouched.image, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("the HSV of hue_saturation is OpenCV's, of colors from the whole cube") {
  constexpr int kSteps = 86, kStep = 3;
  Sample sample;
  sample.image = cv::Mat(kSteps, kSteps * kSteps, CV_8UC3);
  for (int red = 0; red < kSteps; ++red)
    for (int i = 0; i < kSteps * kSteps; ++i)
      sample.image.at<cv::Vec3b>(red, i) =
          cv::Vec3b(cv::saturate_cast<uchar>(red * kStep), cv::saturate_cast<uchar>(i / kSteps * kStep),
                    cv::saturate_cast<uchar>(i % kSteps * kStep));
  cv::Mat hsv, wanted;
  cv::cvtColor(sample.image, hsv, cv::COLOR_RGB2HSV);
  cv::cvtColor(hsv, wanted, cv::COLOR_HSV2RGB);
  const auto found = applied(*hue_shift(0, 0.5, 0), sample).image;  // less than a step: through HSV and back
  CHECK(cv::norm(found, wanted, cv::NORM_INF) == 0);
}

TEST_CASE("hue_saturation shifts float colors by the definition of HSV") {
  CHECK(hue_near(hue_shifted({1, 0, 0}, 60, 0, 0), {0, 1, 0}));                     // 120 degrees: red to green
  CHECK(hue_near(hue_shifted({1, 0, 0}, -60, 0, 0), {0, 0, 1}));                    // and to blue
  CHECK(hue_near(hue_shifted({1, 0, 0}, 180, 0, 0), {1, 0, 0}));                    // the whole circle
  CHECK(hue_near(hue_shifted({0.5, 0.25, 0.25}, 0, 51, 0), {0.5f, 0.15f, 0.15f}));  // saturation 0.5 to 0.7
  CHECK(hue_near(hue_shifted({0.5, 0.25, 0.25}, 0, -255, 0), {0.5f, 0.5f, 0.5f}));
  CHECK(hue_near(hue_shifted({0.5, 0.5, 0.5}, 0, 255, 0), {0.5f, 0.5f, 0.5f}));     // grey stays grey
  CHECK(hue_near(hue_shifted({0.5, 0.25, 0.25}, 0, 0, 51), {0.7f, 0.35f, 0.35f}));  // value 0.5 to 0.7
  CHECK(hue_near(hue_shifted({1, 0.5, 0.5}, 0, 0, 51), {1.2f, 0.6f, 0.6f}));        // not clipped
  CHECK(hue_near(hue_shifted({0.1, 0.05, 0.1}, 0, 0, -51), {0, 0, 0}));
}

TEST_CASE("hue_saturation gives 16-bit images and volumes the colors of 8-bit images") {
  const auto change = hue_shift(25, 40, -30);
  const auto bytes = hue_sample();
  const auto expected = applied(*change, bytes).image;
  Sample wide = bytes;
  bytes.image.convertTo(wide.image, CV_16U, 257);
  cv::Mat back;
  applied(*change, wide).image.convertTo(back, CV_8U, 1. / 257);
  CHECK(cv::norm(back, expected, cv::NORM_L1) < 297 * 2);  // the mean of 8-bit HSV's rounding
  Sample volume = bytes;
  const int sizes[] = {3, 3, 11};
  volume.image = bytes.image.reshape(3, 3, sizes);
  const auto slices = applied(*change, volume).image;
  REQUIRE(slices.dims == 3);
  const int flat[] = {9, 11};
  CHECK(cv::norm(slices.reshape(3, 2, flat), expected, cv::NORM_INF) == 0);
}

TEST_CASE("hue_saturation draws within its limits, and does nothing with probability 0") {
  const auto change = make<Transform>(
      R"({"type": "hue_saturation", "probability": 1, "hue_shift_limit": [0, 0], "sat_shift_limit": [0, 0]})");
  double least = 9, most = 0;
  Sample sample = sectile::test::annotated();
  sample.image = cv::Mat(17, 23, CV_32FC3, cv::Scalar(0.5, 0.2, 0.2));
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto after = applied(*change, sample, seed);
    const double value = after.image.at<cv::Vec3f>(3, 3)[0];
    least = std::min(least, value), most = std::max(most, value);
    CHECK(after.labels.data == sample.labels.data);
  }
  CHECK(least > 0.5 - 20.01 / 255);  // albumentations' default limits of the value
  CHECK(least < 0.5 - 19 / 255.);
  CHECK(most < 0.5 + 20.01 / 255);
  CHECK(most > 0.5 + 19 / 255.);
  CHECK(applied(*make<Transform>(R"({"type": "hue_saturation", "probability": 0})"), sample).image.data ==
        sample.image.data);
  CHECK(applied(*hue_shift(0, 0, 0), sample).image.data == sample.image.data);
  sample.image = cv::Mat();
  CHECK(applied(*change, sample).image.empty());
}

TEST_CASE("hue_saturation says what does not fit") {
  const auto change = hue_shift(20, 0, 0);
  auto sample = hue_sample();
  for (const int type : {CV_8UC1, CV_8UC(4), CV_32FC(7)}) {
    sample.image = cv::Mat::zeros(2, 2, type);
    CHECK_THROWS_WITH_AS(applied(*change, sample), doctest::Contains("colors: "), sectile::DataError);
  }
  sample.image = cv::Mat(2, 2, CV_16SC3, cv::Scalar::all(0));
  CHECK_THROWS_WITH_AS(applied(*change, sample), doctest::Contains("16SC3"), sectile::DataError);
  for (const char* name : {"hue_shift_limit", "sat_shift_limit", "val_shift_limit"}) {
    const auto with = [&](const nlohmann::json& limit) {
      return nlohmann::json{{"type", "hue_saturation"}, {name, limit}}.dump();
    };
    CHECK_THROWS_WITH_AS(make<Transform>(with({2, 1})), doctest::Contains("minimum is greater"), sectile::SpecError);
    CHECK_THROWS_AS(make<Transform>(with({0, 256})), sectile::SpecError);
  }
  CHECK_THROWS_AS(make<Transform>(R"({"type": "hue_saturation", "probability": 2})"), sectile::SpecError);
}

TEST_CASE("hue_saturation draws its three shifts uniformly and independently, like albumentations") {
  const auto change = make<Transform>(R"({"type": "hue_saturation", "probability": 1})");
  Sample sample;
  sample.image = cv::Mat(1, 1, CV_32FC3, cv::Scalar(0.5, 0.2, 0.2));  // hue 0, saturation 0.6
  std::vector<double> hues, saturations, values;
  double common = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const auto pixel = applied(*change, sample, seed).image.at<cv::Vec3f>(0, 0);
    const double most = pixel[0], least = std::min(pixel[1], pixel[2]);
    hues.push_back(30 * (pixel[1] - pixel[2]) / (most - least));  // in steps of 2 degrees
    saturations.push_back(255 * ((most - least) / most - 0.6));
    values.push_back(255 * (most - 0.5));
    common += hues.back() / 20 * saturations.back() / 30 + saturations.back() / 30 * values.back() / 20;
  }
  sectile::test::check_uniform(hues, -20, 20, 1e-3);
  sectile::test::check_uniform(saturations, -30, 30, 1e-3);
  sectile::test::check_uniform(values, -20, 20, 1e-3);
  CHECK(std::abs(common / 500) < 4 * std::sqrt(2.0 / 9 / 500));  // four standard deviations
}
