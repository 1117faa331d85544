#include <algorithm>
#include <cstdlib>
#include <map>

#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

TEST_CASE("channel_shuffle makes all orders equally often, with mean and deviation") {
  const auto shuffle = make<Transform>(R"({"type": "channel_shuffle", "probability": 1})");
  std::map<std::vector<int>, int> counts;
  Sample sample = sectile::test::annotated();
  sample.image = cv::Mat(17, 23, CV_8UC3, cv::Scalar(10, 20, 30));
  sample.mean = {1, 2, 3};
  sample.deviation = {4, 5, 6};
  constexpr int kDraws = 1200;
  for (std::uint64_t seed = 0; seed < kDraws; ++seed) {
    const auto after = applied(*shuffle, sample, seed);
    const auto pixel = after.image.at<cv::Vec3b>(16, 22);
    for (int c = 0; c < 3; ++c) {
      const auto at = static_cast<std::size_t>(c);
      CHECK(after.mean[at] * 10 == static_cast<float>(pixel[c]));
      CHECK(after.deviation[at] == after.mean[at] + 3);
    }
    ++counts[{pixel[0], pixel[1], pixel[2]}];
    CHECK(after.labels.data == sample.labels.data);
  }
  CHECK(counts.size() == 6);
  for (const auto& [order, count] : counts) CHECK(std::abs(count - kDraws / 6) < 60);  // 4.6 standard deviations
  CHECK(sample.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));  // what others may hold is not written to
}

TEST_CASE("channel_shuffle takes every type, number of channels and volumes") {
  const auto shuffle = make<Transform>(R"({"type": "channel_shuffle", "probability": 1})");
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
    for (const int channels : {2, 4, 7}) {
      Sample volume;
      const int sizes[] = {2, 1, 3};
      cv::Mat values(3, sizes, CV_8UC(channels));
      for (std::size_t i = 0; i < values.total() * static_cast<std::size_t>(channels); ++i)
        values.data[i] = static_cast<std::uint8_t>(i);
      values.convertTo(volume.image, depth);
      const auto after = applied(*shuffle, volume, 5).image;
      REQUIRE(after.type() == volume.image.type());
      REQUIRE(after.dims == 3);
      cv::Mat bytes;
      after.convertTo(bytes, CV_8U);
      std::vector<int> order(bytes.data, bytes.data + channels), sorted = order;
      std::sort(sorted.begin(), sorted.end());
      for (int c = 0; c < channels; ++c) CHECK(sorted[static_cast<std::size_t>(c)] == c);
      for (int pixel = 0; pixel < 6; ++pixel)  // the same order in all of them
        for (int c = 0; c < channels; ++c)
          CHECK(bytes.data[pixel * channels + c] == pixel * channels + order[static_cast<std::size_t>(c)]);
    }
}

TEST_CASE("channel_shuffle leaves one channel, unread images, and everything with probability 0") {
  const auto shuffle = make<Transform>(R"({"type": "channel_shuffle", "probability": 1})");
  Sample sample;
  CHECK(applied(*shuffle, sample).image.empty());
  sample.image = cv::Mat(2, 2, CV_8U, cv::Scalar(3));
  CHECK(applied(*shuffle, sample).image.data == sample.image.data);
  sample.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(3, 4, 5));
  const auto never = make<Transform>(R"({"type": "channel_shuffle", "probability": 0})");
  const auto sometimes = make<Transform>(R"({"type": "channel_shuffle"})");
  int unchanged = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed) {
    CHECK(applied(*never, sample, seed).image.data == sample.image.data);
    unchanged += applied(*sometimes, sample, seed).image.data == sample.image.data;
  }
  CHECK(std::abs(unchanged - 350) < 60);  // half, and one in six orders of the other half
  CHECK_THROWS_AS(make<Transform>(R"({"type": "channel_shuffle", "probability": -1})"), sectile::SpecError);
}
