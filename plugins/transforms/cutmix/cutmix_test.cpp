#include <algorithm>
#include <cmath>

#include <sectile/error.h>
#include <opencv2/imgproc.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Draw;
using sectile::Random;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::make;
using sectile::test::mixed_with;

namespace {

Sample cutmix_plain(int value, int type = CV_8UC1, cv::Size size = {100, 100}) {
  Sample sample;
  sample.id = "plain";
  sample.image = cv::Mat(size, type);
  sample.image.setTo(value);
  return sample;
}

constexpr const char* kCutmix = R"({"type": "cutmix", "probability": 1})";

}  // namespace

TEST_CASE("cutmix cuts labels, objects, segments and targets exactly where it cuts the image") {
  const auto transform = make<Transform>(kCutmix);
  const auto sample = annotated();
  auto other = annotated();
  sectile::apply(sectile::Warp::flip({1, 17, 23}, 0), other);
  other.image = other.image + cv::Scalar(1, 1, 1);  // so that no pixel is the same
  const auto image = sample.image.clone();
  int cut = 0;
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const auto after = mixed_with(*transform, sample, other, seed);
    CHECK(cv::norm(sample.image, image, cv::NORM_INF) == 0);
    cv::Mat parity;
    cv::extractChannel(after.image, parity, 2);
    const cv::Mat inside = (parity == 8) | (parity == 1), outside = (parity == 7) | (parity == 0);
    CHECK(cv::countNonZero(inside) + cv::countNonZero(outside) == 17 * 23);
    CHECK(cv::boundingRect(inside).area() == cv::countNonZero(inside));  // one rectangle
    if (cv::countNonZero(inside) == 0) continue;
    ++cut;
    cv::Mat image_there = sample.image.clone(), labels = sample.labels.clone(),
            nearest = sample.targets.at("nearest").clone(), linear = sample.targets.at("linear").clone();
    other.image.copyTo(image_there, inside), other.labels.copyTo(labels, inside);
    other.targets.at("nearest").copyTo(nearest, inside), other.targets.at("linear").copyTo(linear, inside);
    CHECK(cv::norm(after.image, image_there, cv::NORM_INF) == 0);
    CHECK(cv::norm(after.labels, labels, cv::NORM_INF) == 0);
    CHECK(cv::norm(after.targets.at("nearest"), nearest, cv::NORM_INF) == 0);
    CHECK(cv::norm(after.targets.at("linear"), linear, cv::NORM_INF) == 0);
    for (const auto& segment : after.segments) {
      const cv::Mat its = after.segment_ids == segment.id;
      CHECK(cv::countNonZero(its) > 0);
      CHECK(cv::countNonZero(its & (labels != segment.category)) == 0);
    }
    CHECK(cv::countNonZero(after.segment_ids == 0) == 0);
    for (const auto& instance : after.instances) {
      const bool of_other = instance.id < 100;  // a new number, as 101 to 103 are taken
      const cv::Mat its = (labels == instance.category) & (of_other ? inside : outside);
      CHECK(cv::countNonZero(its) > 0);
      CHECK(instance.box == sectile::Mask(cv::Mat(its / 255)).box());
      if (!instance.mask.empty()) CHECK(cv::norm(instance.mask.bitmap() * 255, its, cv::NORM_INF) == 0);
    }
  }
  CHECK(cut > 30);
}

TEST_CASE("the rectangle of cutmix has sides of the square root of a share, and is cut at the border") {
  // About 0.5: sides of 70 pixels around each pixel alike, of which 57.75 are inside on average.
  const auto half = make<Transform>(R"({"type": "cutmix", "probability": 1, "alpha": 1000})");
  double sum = 0;
  int longest = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto after = mixed_with(*half, cutmix_plain(50), cutmix_plain(10), seed);
    const auto box = cv::boundingRect(after.image == 10);
    CHECK(box.area() == cv::countNonZero(after.image == 10));
    sum += box.area(), longest = std::max({longest, box.width, box.height});
  }
  CHECK(std::abs(sum / 2000 - 57.75 * 57.75) < 150);
  CHECK(longest <= 74);
  CHECK(longest >= 68);
  // By default, all shares from nothing to all.
  int small = 0, large = 0;
  const auto usual = make<Transform>(kCutmix);
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const int count = cv::countNonZero(mixed_with(*usual, cutmix_plain(50), cutmix_plain(10), seed).image == 10);
    small += count < 500;
    large += count > 6000;
  }
  CHECK(small > 10);
  CHECK(large > 10);
}

TEST_CASE("cutmix takes all types, numbers of channels, sizes and volumes") {
  const auto transform = make<Transform>(kCutmix);
  for (const int type : {CV_8UC1, CV_16UC3, CV_16SC1, CV_32FC4, CV_8UC(7)}) {
    CAPTURE(type);
    int mixed = 0;
    for (std::uint64_t seed = 0; seed < 20; ++seed) {
      const auto after = mixed_with(*transform, cutmix_plain(50, type), cutmix_plain(10, type, {30, 40}), seed);
      CHECK(after.image.type() == type);
      CHECK(after.image.size() == cv::Size(100, 100));
      cv::Mat last;
      cv::extractChannel(after.image, last, CV_MAT_CN(type) - 1);
      mixed += cv::countNonZero(last < 30) > 0;
      CHECK(cv::countNonZero(last < 30) + cv::countNonZero(last == 50) == 10000);
    }
    CHECK(mixed > 10);
  }
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto pixel = cutmix_plain(50, CV_8UC1, {1, 1});
    CHECK(mixed_with(*transform, pixel, cutmix_plain(10, CV_8UC1, {1, 1}), seed).image.data == pixel.image.data);
  }
  const int sizes[] = {10, 12, 14};
  Sample volume, other;
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(50)), other.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(10));
  volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(0)), other.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(1));
  int most = 0, least = 10 * 12 * 14;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    const auto after = mixed_with(*transform, volume, other, seed);
    const int count = cv::countNonZero(after.labels == 1);
    CHECK(count == cv::countNonZero(after.image == 10));
    CHECK(after.image.dims == 3);
    most = std::max(most, count), least = std::min(least, count);
  }
  CHECK(least < 200);
  CHECK(most > 600);
}

TEST_CASE("cutmix changes nothing with the probability 0, and is applied to half of all samples by default") {
  const auto before = cutmix_plain(50), other = cutmix_plain(10);
  const auto never = make<Transform>(R"({"type": "cutmix", "probability": 0})");
  const auto usual = make<Transform>(R"({"type": "cutmix", "alpha": 1000})");  // so that each is seen
  int mixed = 0;
  for (std::uint64_t seed = 0; seed < 1000; ++seed) {
    CHECK(mixed_with(*never, before, other, seed).image.data == before.image.data);
    mixed += mixed_with(*usual, before, other, seed).image.data != before.image.data;
  }
  CHECK(std::abs(mixed - 500) < 70);
}

TEST_CASE("cutmix says what is wrong with its options, and that it needs other samples") {
  const auto refused = [](const char* json, const char* message) {
    CHECK_THROWS_WITH_AS(make<Transform>(json), doctest::Contains(message), sectile::SpecError);
  };
  refused(R"({"type": "cutmix", "alpha": 0})", "/part/alpha: 0 is too small");
  refused(R"({"type": "cutmix", "alpha": 2000})", "/part/alpha: 2000 is too large");
  refused(R"({"type": "cutmix", "probability": 2})", "/part/probability: 2 is too large");
  auto sample = cutmix_plain(50);
  const auto half = make<Transform>(R"({"type": "cutmix", "probability": 1, "alpha": 1000})");
  Draw alone(Random{1}, nullptr);
  CHECK_THROWS_WITH_AS(half->apply(sample, alone), doctest::Contains("needs another sample"), sectile::DataError);
}

TEST_CASE("cutmix by itself draws all shares alike") {
  const auto usual = make<Transform>(kCutmix);
  const auto same = make<Transform>(R"({"type": "cutmix", "probability": 1, "alpha": 1})");
  for (std::uint64_t seed = 0; seed < 40; ++seed)
    CHECK(cv::norm(mixed_with(*usual, cutmix_plain(50), cutmix_plain(10), seed).image,
                   mixed_with(*same, cutmix_plain(50), cutmix_plain(10), seed).image, cv::NORM_INF) == 0);
}
