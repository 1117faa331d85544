#include <algorithm>

#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample contrast_row() {  // mean 100
  Sample sample;
  sample.image = (cv::Mat_<std::uint8_t>(1, 4) << 0, 80, 120, 200);
  return sample;
}

std::vector<int> contrast_values(const char* json) {
  const auto before = contrast_row();
  const auto after = applied(*make<Transform>(json), before);
  CHECK(before.image.data[3] == 200);  // what others may hold is not written to
  return {after.image.data, after.image.data + 4};
}

}  // namespace

TEST_CASE("contrast multiplies differences to the mean, within the range of the image or of its type") {
  CHECK(contrast_values(R"({"type": "contrast", "contrast_range": [0.5, 0.5], "probability": 1})") ==
        std::vector<int>{50, 90, 110, 150});
  CHECK(contrast_values(R"({"type": "contrast", "contrast_range": [2, 2], "probability": 1})") ==
        std::vector<int>{0, 60, 140, 200});
  CHECK(
      contrast_values(R"({"type": "contrast", "contrast_range": [2, 2], "preserve_range": false, "probability": 1})") ==
      std::vector<int>{0, 60, 140, 255});
  CHECK(contrast_values(R"({"type": "contrast", "contrast_range": [0, 0], "probability": 1})") ==
        std::vector<int>{100, 100, 100, 100});
}

TEST_CASE("contrast takes every type, channel by channel, and volumes as a whole") {
  const auto change = make<Transform>(R"({"type": "contrast", "contrast_range": [0.5, 0.5], "probability": 1})");
  for (const int type : {CV_8UC(7), CV_16UC1, CV_16SC3, CV_32FC4}) {
    CAPTURE(cv::typeToString(type));
    Sample sample;
    const int sizes[] = {2, 1, 1};
    sample.image = cv::Mat(3, sizes, type);
    std::vector<cv::Mat> channels;
    for (int c = 0; c < CV_MAT_CN(type); ++c) {
      cv::Mat channel(3, sizes, CV_32F);
      channel.ptr<float>()[0] = static_cast<float>(10 * c), channel.ptr<float>()[1] = static_cast<float>(10 * c + 40);
      channel.convertTo(channel, CV_MAT_DEPTH(type));
      channels.push_back(channel);
    }
    cv::merge(channels, sample.image);
    const auto after = applied(*change, sample);
    REQUIRE(after.image.type() == type);
    for (int c = 0; c < CV_MAT_CN(type); ++c) {
      cv::Mat channel;
      cv::extractChannel(after.image, channel, c);
      channel.convertTo(channel, CV_32F);
      CHECK(channel.ptr<float>()[0] == static_cast<float>(10 * c + 10));
      CHECK(channel.ptr<float>()[1] == static_cast<float>(10 * c + 30));
    }
  }
}

TEST_CASE("contrast draws half of its factors below 1, and factors of channels together or apart") {
  Sample sample;
  sample.image = cv::Mat(1, 2, CV_32FC3, cv::Scalar(0, 0, 0));
  sample.image.at<cv::Vec3f>(0, 1) = cv::Vec3f(2, 2, 2);  // the difference to the mean, 1, becomes the factor
  for (const bool apart : {false, true}) {
    const auto change = make<Transform>(std::string(R"({"type": "contrast", "contrast_range": [0.5, 4],
        "preserve_range": false, "probability": 1, "per_channel": )") +
                                        (apart ? "true}" : "false}"));
    int below = 0, different = 0;
    float least = 9, most = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
      const auto pixel = applied(*change, sample, seed).image.at<cv::Vec3f>(0, 1);
      below += pixel[0] < 2;
      different += pixel[0] != pixel[2];
      least = std::min(least, pixel[0]), most = std::max(most, pixel[0]);
    }
    CHECK(below > 440);  // of 500, with a deviation of 16
    CHECK(below < 560);
    CHECK(different == (apart ? 1000 : 0));
    CHECK(least >= 1.5f);
    CHECK(least < 1.52f);
    CHECK(most <= 5);
    CHECK(most > 4.9f);
  }
}

TEST_CASE("contrast refuses a range upside down, or beyond its limits") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "contrast", "contrast_range": [1.5, 1]})"),
                       doctest::Contains("/part/contrast_range: the minimum is greater than the maximum"),
                       sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "contrast", "contrast_range": [-1, 1]})"),
                       doctest::Contains("/part/contrast_range/0: -1 is too small: at least 0"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "contrast", "contrast_range": [1, 101]})"),
                       doctest::Contains("/part/contrast_range/1: 101 is too large: at most 100"), sectile::SpecError);
  CHECK_NOTHROW(make<Transform>(R"({"type": "contrast", "contrast_range": [0, 100]})"));
}
