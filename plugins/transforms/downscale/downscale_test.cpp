#include <algorithm>
#include <cmath>
#include <cstring>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample downscale_pattern() {
  return sectile::test::pattern_of("pattern", {11, 9}, 3,
                                   [](int x, int y, int c) { return (7 * x + 13 * y * y + 50 * c + x * y) % 256; });
}

Sample downscale_steps(int type, const std::vector<int>& sizes = {8, 8}) {  // neighbors differ
  Sample sample;
  sample.image = cv::Mat(static_cast<int>(sizes.size()), sizes.data(), type);
  const auto count = sample.image.total() * static_cast<std::size_t>(sample.image.channels());
  cv::Mat values(1, static_cast<int>(count), CV_32F);
  for (std::size_t i = 0; i < count; ++i) values.ptr<float>()[i] = static_cast<float>(i % 251);
  cv::Mat flat(1, static_cast<int>(count), CV_MAT_DEPTH(type), sample.image.data);
  values.convertTo(flat, CV_MAT_DEPTH(type));
  return sample;
}

}  // namespace

TEST_CASE("downscale gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("downscale");
  REQUIRE(expected.size() == 5);
  for (const auto& one : expected) {
    CAPTURE(one["scale"].get<double>());
    const auto up = one["upscale"].get<std::string>();
    const nlohmann::json spec = {{"type", "downscale"},
                                 {"scale_range", {one["scale"], one["scale"]}},
                                 {"interpolation_pair", {{"downscale", one["downscale"]}, {"upscale", up}}},
                                 {"probability", 1}};
    const auto before = downscale_pattern();
    const auto after = applied(*make<Transform>(spec.dump()), before);
    const auto values = one["values"].get<std::vector<int>>();
    REQUIRE(values.size() == 9 * 11 * 3);
    double sum = 0;
    for (std::size_t i = 0; i < values.size(); ++i) sum += std::abs(after.image.data[i] - values[i]);
    CHECK(sum <= (up == "nearest" ? 0 : static_cast<double>(values.size())));
    CHECK(cv::norm(before.image, downscale_pattern().image, cv::NORM_INF) == 0);
  }
}

TEST_CASE("downscale takes every type and number of channels, and each slice of a volume alike") {
  const auto change = make<Transform>(R"({"type": "downscale", "scale_range": [0.5, 0.5], "probability": 1})");
  for (const int type : {CV_8UC1, CV_8UC3, CV_8UC4, CV_8UC(7), CV_16UC1, CV_16UC(7), CV_16SC1, CV_32FC1, CV_32FC(7)}) {
    CAPTURE(cv::typeToString(type));
    const auto before = downscale_steps(type);
    const auto after = applied(*change, before);
    REQUIRE(after.image.type() == type);
    REQUIRE(after.image.size() == before.image.size());
    // Each block of 2 x 2 pixels has the value of its first one.
    for (int y = 0; y < 8; ++y)
      for (int x = 0; x < 8; ++x)
        CHECK(std::memcmp(after.image.ptr(y, x), before.image.ptr(y / 2 * 2, x / 2 * 2), before.image.elemSize()) == 0);
  }
  const auto before = downscale_steps(CV_8UC1, {3, 8, 8});
  const auto after = applied(*change, before);
  REQUIRE(sectile::extent(after.image) == sectile::Extent{3, 8, 8});
  for (int z = 0; z < 3; ++z) CHECK(after.image.at<std::uint8_t>(z, 5, 7) == before.image.at<std::uint8_t>(z, 4, 6));
}

TEST_CASE("downscale by channel draws scales of their own, for as many channels as it is told") {
  const auto change = make<Transform>(R"({"type": "downscale", "scale_range": [0.2, 0.9], "per_channel": true,
      "channel_probability": 0.5, "probability": 1})");
  const auto before = downscale_steps(CV_8UC3, {16, 16});
  int changed = 0, different = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto after = applied(*change, before, seed);
    std::vector<int> values;  // distinct ones in the channels that were changed
    for (int c = 0; c < 3; ++c) {
      cv::Mat old_channel, channel;
      cv::extractChannel(before.image, old_channel, c);
      cv::extractChannel(after.image, channel, c);
      if (cv::norm(old_channel, channel, cv::NORM_INF) == 0) continue;
      std::vector<bool> seen(256);
      for (int i = 0; i < 256; ++i) seen[channel.data[i]] = true;
      values.push_back(static_cast<int>(std::count(seen.begin(), seen.end(), true)));
    }
    changed += static_cast<int>(values.size());
    different += values.size() > 1 && values.front() != values.back();
  }
  CHECK(changed > 250);  // of 600
  CHECK(changed < 350);
  CHECK(different > 50);
}

TEST_CASE("downscale draws its scale within the range, and never to nothing") {
  const auto change = make<Transform>(R"({"type": "downscale", "scale_range": [0.25, 0.75], "probability": 1})");
  const auto before = downscale_steps(CV_32FC1, {1, 200});
  double least = 1, most = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const auto after = applied(*change, before, seed);
    int steps = 1;
    for (int x = 1; x < 200; ++x) steps += after.image.at<float>(0, x) != after.image.at<float>(0, x - 1);
    least = std::min(least, steps / 200.0), most = std::max(most, steps / 200.0);
  }
  CHECK(least >= 0.245);
  CHECK(least < 0.29);
  CHECK(most <= 0.755);
  CHECK(most > 0.71);
  const auto nothing = make<Transform>(R"({"type": "downscale", "scale_range": [0, 0], "probability": 1})");
  const auto flat = applied(*nothing, downscale_pattern());
  CHECK(cv::norm(flat.image, cv::Mat(9, 11, CV_8UC3, cv::Scalar(flat.image.at<cv::Vec3b>(0, 0))), cv::NORM_INF) == 0);
}

TEST_CASE("downscale refuses options that contradict each other") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "downscale", "scale_range": [0.5, 0.25]})"),
                       doctest::Contains("/part/scale_range: the minimum is greater than the maximum"),
                       sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "downscale", "scale_range": [0.5, 1.5]})"),
                       doctest::Contains("/part/scale_range"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "downscale", "channel_probability": 0.5})"),
                       doctest::Contains("/part/channel_probability: has no effect unless"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "downscale", "interpolation_pair": {"upscale": "sinc"}})"),
                       doctest::Contains("/part/interpolation_pair/upscale"), sectile::SpecError);
}
