#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>

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

Sample photometric_sample() { return sectile::test::scattered_pattern("colors", {8, 7}); }

// Nothing happens, but for what is given.
std::shared_ptr<Transform> photometric(nlohmann::json options) {
  const nlohmann::json still = {{"type", "photometric_distortion"},
                                {"brightness_delta", 0},
                                {"contrast_range", {1, 1}},
                                {"saturation_range", {1, 1}},
                                {"hue_delta", 0}};
  for (const auto& [name, value] : still.items())
    if (!options.contains(name)) options[name] = value;
  return make<Transform>(options.dump());
}

// The 8-bit color of one pixel, by seeds from 0.
std::vector<cv::Vec3b> photometric_colors(const Transform& change, const cv::Vec3b& color) {
  Sample sample;
  sample.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(color));
  std::vector<cv::Vec3b> colors;
  for (std::uint64_t seed = 0; seed < 1000; ++seed)
    colors.push_back(applied(change, sample, seed).image.at<cv::Vec3b>(0, 0));
  return colors;
}

}  // namespace

TEST_CASE("photometric_distortion gives the pixels of mmsegmentation, in its orders and as often") {
  const auto& expected = sectile::test::expected_of_transform("photometric_distortion");
  REQUIRE(expected.size() == 5);
  const auto change = photometric({{"contrast_range", {1.4, 1.4}}, {"saturation_range", {0.6, 0.6}}});
  const auto before = photometric_sample(), untouched = photometric_sample();
  std::map<std::string, int> counts;
  constexpr int kDraws = 800;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const auto after = applied(*change, before, seed).image;
    std::string nearest;
    double least = 1e9;
    for (const auto& [name, values] : expected.items()) {
      double difference = 0;
      for (std::size_t i = 0; i < after.total() * 3; ++i) difference += std::abs(values[i].get<int>() - after.data[i]);
      if (difference < least) least = difference, nearest = name;
    }
    CAPTURE(nearest);
    CHECK(least <= 8);  // of 168 values: versions of OpenCV round some HSV to RGB otherwise
    ++counts[nearest];
  }
  const auto near_share = [&](const char* name, double share) {  // within five standard deviations
    return std::abs(counts[name] - share * kDraws) < 5 * std::sqrt(share * (1 - share) * kDraws);
  };
  CHECK(near_share("none", 0.25));
  CHECK(near_share("contrast", 0.25));
  CHECK(near_share("saturation", 0.25));
  CHECK(near_share("contrast_saturation", 0.125));
  CHECK(near_share("saturation_contrast", 0.125));
  CHECK(cv::norm(before.image, untouched.image, cv::NORM_INF) == 0);  // what others may hold is not written to
}

TEST_CASE("photometric_distortion draws brightness, contrast, saturation and hue in their ranges") {
  const auto spread = [](const std::vector<cv::Vec3b>& colors, int channel, int unchanged) {
    int least = 255, most = 0, still = 0;
    for (const auto& color : colors) {
      least = std::min<int>(least, color[channel]), most = std::max<int>(most, color[channel]);
      still += color[channel] == unchanged;
    }
    CHECK(still > 420);  // half of 1000, and those that draw a small change
    CHECK(still < 580);
    return std::pair(least, most);
  };
  const auto brightness = photometric_colors(*photometric({{"brightness_delta", 32}}), {100, 100, 100});
  const auto [darkest, brightest] = spread(brightness, 1, 100);
  CHECK(darkest >= 68);
  CHECK(darkest <= 70);
  CHECK(brightest >= 130);
  CHECK(brightest <= 132);

  const auto contrast = photometric_colors(*photometric({{"contrast_range", {0.5, 1.5}}}), {100, 100, 100});
  const auto [flattest, sharpest] = spread(contrast, 1, 100);
  CHECK(flattest >= 50);
  CHECK(flattest <= 52);
  CHECK(sharpest >= 147);
  CHECK(sharpest <= 150);

  // Saturation 0.5 of 200, 100, 100 becomes 0.25 to 0.75.
  const auto saturation = photometric_colors(*photometric({{"saturation_range", {0.5, 1.5}}}), {200, 100, 100});
  const auto [strongest, palest] = spread(saturation, 2, 100);
  CHECK(strongest >= 49);
  CHECK(strongest <= 53);
  CHECK(palest >= 147);
  CHECK(palest <= 152);

  // Red moves towards yellow by 255 / 30 a step, or towards purple.
  const auto hue = photometric_colors(*photometric({{"hue_delta", 18}}), {255, 0, 0});
  std::map<int, int> counts;
  for (const auto& color : hue) ++counts[cvRound((color[1] - color[2]) * 30 / 255.)];
  CHECK(counts.size() == 37);  // -18 to 18
  CHECK(counts.begin()->first == -18);
  CHECK(counts.rbegin()->first == 18);
  CHECK(counts[0] > 420);
}

TEST_CASE("photometric_distortion gives 16-bit, float images and volumes the colors of 8-bit images") {
  const auto change = make<Transform>(R"({"type": "photometric_distortion"})");
  const auto bytes = photometric_sample();
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    CAPTURE(seed);
    const auto expected = applied(*change, bytes, seed).image;
    Sample sample = bytes;
    cv::Mat back;
    bytes.image.convertTo(sample.image, CV_16U, 257);
    applied(*change, sample, seed).image.convertTo(back, CV_8U, 1. / 257);
    CHECK(cv::norm(back, expected, cv::NORM_L1) < 168 * 3);  // what 8 bits cut off
    const int sizes[] = {7, 2, 4}, flat[] = {7, 8};
    sample.image = bytes.image.reshape(3, 3, sizes);
    const auto slices = applied(*change, sample, seed).image;
    REQUIRE(slices.dims == 3);
    CHECK(cv::norm(slices.reshape(3, 2, flat), expected, cv::NORM_INF) == 0);
  }
  Sample sample;
  sample.image = cv::Mat(1, 1, CV_32FC3, cv::Scalar(0.5, 0.25, 0.25));
  const auto paler = photometric({{"saturation_range", {0.5, 0.5}}, {"contrast_range", {3, 3}}});
  bool found = false;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto pixel = applied(*paler, sample, seed).image.at<cv::Vec3f>(0, 0);
    found = found || cv::norm(pixel - cv::Vec3f(1.5f, 1.125f, 1.125f)) < 1e-4;  // both; not clipped
  }
  CHECK(found);
}

TEST_CASE("photometric_distortion says what does not fit, and does nothing with probability 0") {
  const auto change = make<Transform>(R"({"type": "photometric_distortion"})");
  auto sample = photometric_sample();
  CHECK(applied(*photometric({{"probability", 0}, {"contrast_range", {2, 2}}}), sample).image.data ==
        sample.image.data);
  for (const int type : {CV_8UC1, CV_8UC(4), CV_32FC(7)}) {
    sample.image = cv::Mat::zeros(2, 2, type);
    CHECK_THROWS_WITH_AS(applied(*change, sample), doctest::Contains("colors: "), sectile::DataError);
  }
  sample.image = cv::Mat::zeros(2, 2, CV_16SC3);
  CHECK_THROWS_WITH_AS(applied(*change, sample), doctest::Contains("16SC3"), sectile::DataError);
  sample.image = cv::Mat();
  CHECK(applied(*change, sample).image.empty());
  CHECK_THROWS_WITH_AS(photometric({{"contrast_range", {2, 1}}}), doctest::Contains("minimum is greater"),
                       sectile::SpecError);
  CHECK_THROWS_WITH_AS(photometric({{"saturation_range", {2, 1}}}), doctest::Contains("minimum is greater"),
                       sectile::SpecError);
  CHECK_THROWS_AS(photometric({{"brightness_delta", -1}}), sectile::SpecError);
  for (const char* name : {"contrast_range", "saturation_range"}) {
    CAPTURE(name);
    CHECK_NOTHROW(photometric({{name, {0, 100}}}));
    CHECK_THROWS_WITH_AS(photometric({{name, {-1, 1}}}), doctest::Contains("-1 is too small: at least 0"),
                         sectile::SpecError);
    CHECK_THROWS_WITH_AS(photometric({{name, {1, 101}}}), doctest::Contains("101 is too large: at most 100"),
                         sectile::SpecError);
  }
  CHECK_THROWS_AS(photometric({{"hue_delta", 91}}), sectile::SpecError);
  CHECK_THROWS_AS(photometric({{"probability", 2}}), sectile::SpecError);
}

TEST_CASE("photometric_distortion has the defaults of mmsegmentation") {
  const auto usual = make<Transform>(R"({"type": "photometric_distortion"})");
  const auto same = photometric({{"brightness_delta", 32},
                                 {"contrast_range", {0.5, 1.5}},
                                 {"saturation_range", {0.5, 1.5}},
                                 {"hue_delta", 18},
                                 {"probability", 1}});
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    CHECK(cv::norm(applied(*usual, photometric_sample(), seed).image, applied(*same, photometric_sample(), seed).image,
                   cv::NORM_INF) == 0);
}
