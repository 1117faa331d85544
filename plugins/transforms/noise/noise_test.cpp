#include <cmath>
#include <set>
#include <string>
#include <utility>
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

Sample even_image(int type, double value, cv::Size size = {64, 48}) {
  return sectile::test::sheet_of(type, size, value);
}

struct NoiseMoments {
  double mean = 0, deviation = 0;
};
NoiseMoments noise_moments(const cv::Mat& image) {
  cv::Mat values;
  image.reshape(1, 1).convertTo(values, CV_64F);
  cv::Scalar mean, deviation;
  cv::meanStdDev(values, mean, deviation);
  return {mean[0], deviation[0]};
}

std::shared_ptr<Transform> noise_of(nlohmann::json options) {
  return sectile::test::always("noise", std::move(options));
}

}  // namespace

TEST_CASE("noise of one factor gives the numbers of albumentations 2.0.8, and random noise its mean and deviation") {
  const auto& expected = sectile::test::expected_of_transform("noise");
  REQUIRE(expected["multiplicative"].size() == 4);
  Sample all;
  all.image = cv::Mat(16, 16, CV_8U);
  for (int i = 0; i < 256; ++i) all.image.data[i] = static_cast<std::uint8_t>(i);
  for (const auto& one : expected["multiplicative"]) {
    CAPTURE(one["factor"].get<double>());
    const auto noise = noise_of({{"mode", "multiplicative"}, {"multiplier", {one["factor"], one["factor"]}}});
    const cv::Mat after = applied(*noise, all).image;
    CHECK(std::vector<int>(after.data, after.data + 256) == one["values"].get<std::vector<int>>());
    CHECK(all.image.data[200] == 200);  // what others may hold is not written to
  }
  REQUIRE(expected["random"].size() == 9);
  for (const auto& one : expected["random"]) {
    CAPTURE(one.dump());
    const auto before = even_image(CV_8UC3, one["value"].get<double>(), {512, 512});
    const auto found = noise_moments(applied(*noise_of(one["options"]), before).image);
    CHECK(std::abs(found.mean - one["mean"].get<double>()) < 0.3);
    CHECK(found.deviation == doctest::Approx(one["deviation"].get<double>()).epsilon(0.01));
  }
}

TEST_CASE("noise is normally distributed, with nothing in common between neighbours, channels and slices") {
  const auto noise =
      make<Transform>(R"({"type": "noise", "std_range": [0.1, 0.1], "mean_range": [0.05, 0.05], "probability": 1})");
  const cv::Mat after = applied(*noise, even_image(CV_32FC3, 0.5, {512, 512})).image;
  const cv::Mat flat = (after.reshape(1, 1) - 0.55) / 0.1;
  const auto total = static_cast<double>(flat.total());
  CHECK(std::abs(cv::mean(flat)[0]) < 0.01);
  CHECK(flat.dot(flat) / total == doctest::Approx(1).epsilon(0.01));
  // Shares of the normal distribution beyond 1, 2 and 3 deviations.
  for (const auto& [limit, share] : {std::pair{1.0, 0.3173}, std::pair{2.0, 0.0455}, std::pair{3.0, 0.0027}})
    CHECK(std::abs(cv::countNonZero(cv::abs(flat) > limit) / total - share) < 0.0002 + 0.01 * share);
  for (const int apart : {1, 2, 3, 4, 3 * 512}) {  // values; a row has 3 * 512
    const int count = flat.cols - apart;
    CHECK(std::abs(flat.colRange(0, count).dot(flat.colRange(apart, apart + count)) / count) < 0.006);
  }
  const int sizes[] = {3, 40, 50};
  Sample volume;
  volume.image = cv::Mat(3, sizes, CV_16UC2, cv::Scalar(30000, 30000));
  const cv::Mat noisy = applied(*noise, volume).image;
  REQUIRE(noisy.dims == 3);
  std::set<std::uint16_t> values;
  for (int z = 0; z < 3; ++z) values.insert(noisy.ptr<std::uint16_t>(z, 5, 6)[1]);
  CHECK(values.size() == 3);
  CHECK(std::abs(noise_moments(cv::Mat(3 * 40, 50, CV_16UC2, noisy.data)).deviation - 6553.5) < 200);
}

TEST_CASE("noise is the same for all channels unless it is told otherwise") {
  const auto same_channels = [](const char* options, int type) {
    const auto noise = noise_of(nlohmann::json::parse(options));
    const cv::Mat after = applied(*noise, even_image(type, CV_MAT_DEPTH(type) == CV_32F ? 0.4 : 100)).image;
    cv::Mat first, last;
    cv::extractChannel(after, first, 0);
    cv::extractChannel(after, last, after.channels() - 1);
    return cv::norm(first, last, cv::NORM_INF) == 0;
  };
  for (const int type : {CV_8UC3, CV_16UC4, CV_32FC(7)}) {
    CHECK_FALSE(same_channels(R"({"std_range": [0.1, 0.1]})", type));
    CHECK(same_channels(R"({"std_range": [0.1, 0.1], "per_channel": false})", type));
    CHECK_FALSE(same_channels(R"({"std_range": [0.1, 0.1], "noise_scale_factor": 0.3})", type));
    CHECK(same_channels(R"({"std_range": [0.1, 0.1], "noise_scale_factor": 0.3, "per_channel": false})", type));
    for (const char* elementwise : {"true", "false"}) {
      const auto start =
          std::string(R"({"mode": "multiplicative", "multiplier": [0.1, 1.9], "elementwise": )").append(elementwise);
      CHECK(same_channels((start + "}").c_str(), type));
      CHECK_FALSE(same_channels((start + R"(, "per_channel": true})").c_str(), type));
    }
  }
}

TEST_CASE("noise draws its parameters within their ranges") {
  double least = 1e9, most = 0, darkest = 1e9, brightest = 0;
  std::vector<double> factors;
  const auto gaussian = noise_of({{"mean_range", {-0.1, 0.1}}});
  const auto factor = noise_of({{"mode", "multiplicative"}});
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto found = noise_moments(applied(*gaussian, even_image(CV_32FC1, 0.5), seed).image);
    least = std::min(least, found.deviation), most = std::max(most, found.deviation);
    const auto even = noise_moments(applied(*factor, even_image(CV_32FC1, 1), seed).image);
    CHECK(even.deviation < 1e-6);
    darkest = std::min(darkest, even.mean), brightest = std::max(brightest, even.mean);
    factors.push_back(even.mean);
  }
  CHECK(std::abs(least - 0.2) < 0.01);
  CHECK(std::abs(most - 0.44) < 0.02);
  CHECK(darkest >= 0.8999);
  CHECK(darkest < 0.91);
  CHECK(brightest <= 1.1001);
  CHECK(brightest > 1.09);
  sectile::test::check_uniform(factors, 0.9, 1.1);
  const auto each = noise_of({{"mode", "multiplicative"}, {"elementwise", true}});
  const auto uniform = noise_moments(applied(*each, even_image(CV_32FC1, 1, {256, 256})).image);
  CHECK(std::abs(uniform.mean - 1) < 0.001);
  CHECK(std::abs(uniform.deviation - 0.2 / std::sqrt(12)) < 0.001);
}

TEST_CASE("noise keeps type and size, also of one pixel, and the range of counted photons") {
  for (const char* mode : {"gaussian", "multiplicative", "poisson"}) {
    const auto noise = noise_of({{"mode", mode}});
    for (const int type : {CV_8UC1, CV_8UC4, CV_16UC3, CV_32FC(7)}) {
      const cv::Mat after = applied(*noise, even_image(type, 1, {1, 1})).image;
      CHECK(after.type() == type);
      CHECK(after.size() == cv::Size(1, 1));
    }
    CHECK_THROWS_WITH_AS(applied(*noise, even_image(CV_16SC1, 0)), doctest::Contains("sheet: "), sectile::DataError);
  }
  const auto photons = noise_of({{"mode", "poisson"}});
  double low = 0, high = 0;
  cv::minMaxLoc(applied(*photons, even_image(CV_32FC1, 0.9)).image, &low, &high);
  CHECK(low >= 0);
  CHECK(high == 1);
  // A dark pixel gets no photon at all; 16 bits and float get the same photons.
  CHECK(noise_moments(applied(*photons, even_image(CV_8UC3, 0)).image).mean == 0);
  const cv::Mat wide = applied(*photons, even_image(CV_16UC3, 20000)).image;
  cv::Mat scaled;
  wide.convertTo(scaled, CV_32F, 1 / 65535.0);
  CHECK(cv::norm(scaled, applied(*photons, even_image(CV_32FC3, 20000 / 65535.0)).image, cv::NORM_INF) < 1e-4);
}

TEST_CASE("noise leaves annotation alone, and the image too where it is not applied") {
  sectile::test::check_applied_half_the_time("noise");
}

TEST_CASE("noise refuses options of another mode, and ranges in the wrong order and out of range") {
  const auto refused = [](const char* options, const char* problem) {
    CHECK_THROWS_WITH_AS(noise_of(nlohmann::json::parse(options)), doctest::Contains(problem), sectile::SpecError);
  };
  refused(R"({"multiplier": [1, 1]})", "/part/multiplier: has no effect in this mode: expected only in mode mult");
  refused(R"({"elementwise": true})", "/part/elementwise: has no effect");
  refused(R"({"scale_range": [0.1, 0.1]})", "/part/scale_range: has no effect");
  refused(R"({"mode": "multiplicative", "std_range": [0.1, 0.1]})", "/part/std_range: has no effect");
  refused(R"({"mode": "multiplicative", "mean_range": [0, 0]})", "/part/mean_range: has no effect");
  refused(R"({"mode": "poisson", "noise_scale_factor": 1})", "/part/noise_scale_factor: has no effect");
  refused(R"({"mode": "poisson", "per_channel": true})", "/part/per_channel: has no effect");
  refused(R"({"std_range": [0.2, 0.1]})", "/part/std_range: the minimum is greater");
  refused(R"({"mean_range": [0.2, 0.1]})", "/part/mean_range: the minimum is greater");
  refused(R"({"mode": "multiplicative", "multiplier": [2, 1]})", "/part/multiplier: the minimum is greater");
  refused(R"({"mode": "poisson", "scale_range": [0.2, 0.1]})", "/part/scale_range: the minimum is greater");
  refused(R"({"mode": "poisson", "scale_range": [0, 0.1]})", "/part/scale_range/0: ");
  refused(R"({"noise_scale_factor": 0})", "/part/noise_scale_factor: must be more than 0");
  refused(R"({"mode": "salt"})", "/part/mode: unknown value");
}

TEST_CASE("noise has no mean by default, and so many photons as albumentations draws") {
  const auto gaussian = noise_of({{"std_range", {0.01, 0.01}}});
  const auto photons = noise_of({{"mode", "poisson"}});
  double brightest = 0, dimmest = 1;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    CHECK(std::abs(noise_moments(applied(*gaussian, even_image(CV_32FC1, 0.5), seed).image).mean - 0.5) < 0.002);
    // The smallest brightness above 0 is that of one photon.
    const cv::Mat after = applied(*photons, even_image(CV_32FC1, 0.4), seed).image;
    double least = 0;
    cv::minMaxLoc(after, &least, nullptr, nullptr, nullptr, after > 0);
    const double photon = std::pow(least, 2.2);
    brightest = std::max(brightest, photon), dimmest = std::min(dimmest, photon);
  }
  CHECK(dimmest >= 0.0999);
  CHECK(dimmest < 0.11);
  CHECK(brightest <= 0.3001);
  CHECK(brightest > 0.29);
}
