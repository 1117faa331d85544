#include <cmath>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/transforms/lossy_compression.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample waves_to_compress(cv::Size size, int channels) {
  return sectile::test::pattern_of("waves", size, channels, [](int x, int y, int c) {
    return cv::saturate_cast<std::uint8_t>(128 + 80 * std::sin(x / 4.0 + c) + 40 * std::cos(y / 3.0 - 2 * c));
  });
}

double error_of_compression(const Sample& before, const char* type, int quality) {
  const nlohmann::json spec = {{"type", "jpeg_compression"},
                               {"compression_type", type},
                               {"quality_range", {quality, quality}},
                               {"probability", 1}};
  const cv::Mat after = applied(*make<Transform>(spec.dump()), before).image;
  return cv::norm(after, before.image, cv::NORM_L1) / static_cast<double>(after.total()) / after.channels();
}

}  // namespace

TEST_CASE("jpeg_compression gives the pixels of OpenCV") {
  const auto& expected = sectile::test::expected_of_transform("jpeg_compression");
  REQUIRE(expected.size() == 5);
  for (const auto& one : expected) {
    CAPTURE(one["type"].dump());
    CAPTURE(one["quality"].get<int>());
    const nlohmann::json spec = {{"type", "jpeg_compression"},
                                 {"compression_type", one["type"]},
                                 {"quality_range", {one["quality"], one["quality"]}},
                                 {"probability", 1}};
    const int channels = one["channels"].get<int>();
    const auto pixels = one["before"].get<std::vector<std::uint8_t>>();
    const auto values = one["after"].get<std::vector<std::uint8_t>>();
    Sample before;
    before.image = cv::Mat(11, 19, CV_8UC(channels));
    REQUIRE(pixels.size() == before.image.total() * static_cast<std::size_t>(channels));
    std::memcpy(before.image.data, pixels.data(), pixels.size());
    const cv::Mat untouched = before.image.clone();
    const cv::Mat after = applied(*make<Transform>(spec.dump()), before).image;
    REQUIRE(after.type() == before.image.type());
    const cv::Mat reference(11, 19, after.type(), const_cast<std::uint8_t*>(values.data()));
    CHECK(cv::norm(after, reference, cv::NORM_L1) / static_cast<double>(values.size()) <= 1);
    CHECK(cv::norm(after, before.image, cv::NORM_L1) / static_cast<double>(values.size()) > 1);
    CHECK(cv::norm(before.image, untouched, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("jpeg_compression loses more the lower the quality is") {
  for (const char* type : {"jpeg", "webp"})
    for (const int channels : {1, 3}) {
      CAPTURE(std::string(type));
      CAPTURE(channels);
      const Sample waves = waves_to_compress({90, 70}, channels);
      double last = error_of_compression(waves, type, 100);
      CHECK(last < 3);
      for (const int quality : {60, 20, 1}) {
        const double error = error_of_compression(waves, type, quality);
        CHECK(error > last);
        last = error;
      }
      CHECK(last > 4);
    }
}

TEST_CASE("jpeg_compression takes all sizes, views of larger images, and volumes slice by slice") {
  for (const char* type : {"jpeg", "webp"}) {
    CAPTURE(std::string(type));
    for (const int channels : {1, 3})
      for (const cv::Size size : {cv::Size(1, 1), cv::Size(1, 40), cv::Size(17, 3)}) {
        Sample flat;
        flat.image = cv::Mat(size, CV_8UC(channels), cv::Scalar::all(90));
        CHECK(error_of_compression(flat, type, 90) <= 3);
      }
    const nlohmann::json spec = {
        {"type", "jpeg_compression"}, {"compression_type", type}, {"quality_range", {30, 30}}, {"probability", 1}};
    const auto compress = make<Transform>(spec.dump());
    const Sample large = waves_to_compress({60, 50}, 3);
    Sample view = large, copy = large;
    view.image = large.image(cv::Rect(7, 5, 33, 29));
    copy.image = view.image.clone();
    const cv::Mat alone = applied(*compress, copy).image;
    CHECK(cv::norm(applied(*compress, view).image, alone, cv::NORM_INF) == 0);
    Sample volume;
    const int sizes[] = {3, 29, 33};
    volume.image = cv::Mat(3, sizes, CV_8UC3, cv::Scalar::all(0));
    std::memcpy(volume.image.ptr(1), copy.image.data, copy.image.total() * copy.image.elemSize());
    const cv::Mat after = applied(*compress, volume).image;
    REQUIRE(after.dims == 3);
    CHECK(std::memcmp(after.ptr(1), alone.data, alone.total() * alone.elemSize()) == 0);
  }
}

TEST_CASE("jpeg_compression draws its quality within the range, and leaves annotation alone") {
  const Sample waves = waves_to_compress({40, 40}, 3);
  std::set<double> possible, found;
  for (int quality = 30; quality <= 33; ++quality) possible.insert(error_of_compression(waves, "jpeg", quality));
  const auto compress = make<Transform>(R"({"type": "jpeg_compression", "quality_range": [30, 33], "probability": 1})");
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    const cv::Mat after = applied(*compress, waves, seed).image;
    found.insert(cv::norm(after, waves.image, cv::NORM_L1) / static_cast<double>(after.total()) / after.channels());
  }
  CHECK(found == possible);

  sectile::test::check_applied_half_the_time("jpeg_compression");
}

TEST_CASE("jpeg_compression says what it does not compress") {
  for (const char* type : {"jpeg", "webp"}) {
    const nlohmann::json spec = {{"type", "jpeg_compression"}, {"compression_type", type}, {"probability", 1}};
    const auto compress = make<Transform>(spec.dump());
    Sample sample;
    sample.id = "bands";
    for (const int pixels : {CV_8UC4, CV_16UC3, CV_32FC1, CV_8UC(7)}) {
      sample.image = cv::Mat(4, 5, pixels, cv::Scalar::all(0));
      CHECK_THROWS_WITH_AS(applied(*compress, sample), doctest::Contains("bands: is CV_"), sectile::DataError);
    }
    sample.image = cv::Mat(1, 65501, CV_8U, cv::Scalar(0));
    CHECK_THROWS_WITH_AS(applied(*compress, sample), doctest::Contains("bands: has 1 x 65501 pixels, and a "),
                         sectile::DataError);
  }
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "jpeg_compression", "quality_range": [90, 80]})"),
                       doctest::Contains("/part/quality_range: the minimum is greater"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "jpeg_compression", "quality_range": [0, 80]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "jpeg_compression", "compression_type": "png"})"), sectile::SpecError);
}
