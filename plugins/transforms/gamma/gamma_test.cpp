#include <cmath>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

std::shared_ptr<Transform> gamma_of(double percent) {
  return make<Transform>(
      nlohmann::json{{"type", "gamma"}, {"gamma_limit", {percent, percent}}, {"probability", 1}}.dump());
}

}  // namespace

TEST_CASE("gamma gives the numbers of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("gamma");
  REQUIRE(expected.size() == 4);
  Sample before;
  before.image = cv::Mat(16, 16, CV_8U);
  for (int i = 0; i < 256; ++i) before.image.data[i] = static_cast<std::uint8_t>(i);
  for (const auto& one : expected) {
    CAPTURE(one["gamma_limit"].get<double>());
    const auto after = applied(*gamma_of(one["gamma_limit"].get<double>()), before);
    CHECK(std::vector<int>(after.image.data, after.image.data + 256) == one["values"].get<std::vector<int>>());
    CHECK(before.image.data[200] == 200);  // what others may hold is not written to
  }
}

TEST_CASE("gamma changes 16-bit and float images, volumes and any number of channels by the same formula") {
  const auto half = gamma_of(50);
  Sample sample;
  sample.image = (cv::Mat_<std::uint16_t>(1, 4) << 0, 1, 16384, 65535);
  const auto wide = applied(*half, sample).image;
  CHECK(wide.at<std::uint16_t>(0, 0) == 0);
  CHECK(wide.at<std::uint16_t>(0, 1) == 255);    // sqrt(65535) = 255.998, cut off
  CHECK(wide.at<std::uint16_t>(0, 2) == 32767);  // sqrt(16384 * 65535) = 32767.75
  CHECK(wide.at<std::uint16_t>(0, 3) == 65535);
  const int sizes[] = {2, 3, 4};
  for (const int channels : {1, 3, 4, 7}) {
    sample.image = cv::Mat(3, sizes, CV_32FC(channels));
    std::fill_n(sample.image.ptr<float>(), sample.image.total() * static_cast<std::size_t>(channels), 0.25f);
    sample.image.ptr<float>()[1] = -0.5f, sample.image.ptr<float>()[2] = 4;
    const auto after = applied(*half, sample).image;
    REQUIRE(after.type() == sample.image.type());
    REQUIRE(after.dims == 3);
    CHECK(after.ptr<float>()[0] == doctest::Approx(0.5));
    CHECK(after.ptr<float>()[1] == 0);                   // a negative value has no square root
    CHECK(after.ptr<float>()[2] == doctest::Approx(2));  // not clipped
  }
  sample.image = cv::Mat(1, 1, CV_16S, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(applied(*half, sample), doctest::Contains("16SC1"), sectile::DataError);
}

TEST_CASE("gamma draws within its limits, leaves annotation alone, and does nothing with probability 0") {
  const auto change = make<Transform>(R"({"type": "gamma", "probability": 1})");
  Sample sample = sectile::test::annotated();
  double least = 9, most = 0;
  std::vector<double> drawn;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Sample grey = sample;
    grey.image = cv::Mat(17, 23, CV_32F, cv::Scalar(0.5));
    const auto after = applied(*change, grey, seed);
    const double gamma = std::log(after.image.at<float>(0, 0)) / std::log(0.5);
    least = std::min(least, gamma), most = std::max(most, gamma);
    drawn.push_back(gamma);
    CHECK(after.labels.data == sample.labels.data);
  }
  CHECK(least > 0.7999);
  CHECK(least < 0.82);
  CHECK(most < 1.2001);
  CHECK(most > 1.18);
  sectile::test::check_uniform(drawn, 0.8, 1.2, 1e-5);
  CHECK(applied(*make<Transform>(R"({"type": "gamma", "probability": 0})"), sample).image.data == sample.image.data);
  CHECK(applied(*gamma_of(100), sample).image.data == sample.image.data);
  sample.image = cv::Mat();
  CHECK(applied(*change, sample).image.empty());
}

TEST_CASE("gamma refuses limits that cannot be") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "gamma", "gamma_limit": [120, 80]})"),
                       doctest::Contains("minimum is greater"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "gamma", "gamma_limit": [0, 80]})"),
                       doctest::Contains("/part/gamma_limit/0: 0 is too small: at least 1"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "gamma", "gamma_limit": [80, 10001]})"),
                       doctest::Contains("/part/gamma_limit/1: 10001 is too large: at most 10000"), sectile::SpecError);
  CHECK_NOTHROW(make<Transform>(R"({"type": "gamma", "gamma_limit": [1, 10000]})"));
  CHECK_THROWS_AS(make<Transform>(R"({"type": "gamma", "probability": 1.5})"), sectile::SpecError);
}
