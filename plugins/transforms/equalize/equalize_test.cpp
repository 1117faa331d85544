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

Sample equalize_sample() {
  return sectile::test::pattern_of("dark", {32, 20}, 3, [](int x, int y, int c) {
    const auto value = sectile::test::scattered((y * 32 + x) * 3 + c);
    return value * value / 400;
  });
}

std::shared_ptr<Transform> equalize_by(const std::string& mode, bool by_channels) {
  return make<Transform>(
      nlohmann::json{{"type", "equalize"}, {"mode", mode}, {"by_channels", by_channels}, {"probability", 1}}.dump());
}

}  // namespace

TEST_CASE("equalize gives the pixels of albumentations 2.0.8 and Pillow") {
  const auto& expected = sectile::test::expected_of_transform("equalize");
  REQUIRE(expected.size() == 4);
  const auto before = equalize_sample(), untouched = equalize_sample();
  for (const auto& one : expected) {
    CAPTURE(one["mode"].get<std::string>());
    const bool by_channels = one["by_channels"];
    CAPTURE(by_channels);
    const auto after = applied(*equalize_by(one["mode"].get<std::string>(), by_channels), before).image;
    const auto values = one["values"].get<std::vector<int>>();
    REQUIRE(values.size() == after.total() * 3);
    int most = 0;
    for (std::size_t i = 0; i < values.size(); ++i) most = std::max(most, std::abs(values[i] - after.data[i]));
    CHECK(most == 0);
    CHECK(cv::norm(before.image, untouched.image, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("equalize takes 16-bit and float images in 65536 levels, and any number of channels") {
  const auto change = make<Transform>(R"({"type": "equalize", "probability": 1})");
  Sample sample;
  sample.image = (cv::Mat_<std::uint16_t>(2, 2) << 1000, 1001, 1002, 1002);
  const auto wide = applied(*change, sample).image;  // three pixels above the lowest: 0, 1/3, 1 and 1
  CHECK(wide.at<std::uint16_t>(0, 0) == 0);
  CHECK(wide.at<std::uint16_t>(0, 1) == 21845);
  CHECK(wide.at<std::uint16_t>(1, 0) == 65535);
  CHECK(wide.at<std::uint16_t>(1, 1) == 65535);
  for (const int channels : {1, 4, 7}) {
    sample.image = cv::Mat::zeros(2, 2, CV_32FC(channels));
    for (int i = 0; i < 4; ++i)
      sample.image.ptr<float>()[i * channels + channels - 1] = 0.2f + 0.01f * static_cast<float>(i);
    const auto real = applied(*change, sample).image;
    for (int i = 0; i < 4; ++i)
      CHECK(real.ptr<float>()[i * channels + channels - 1] == doctest::Approx(i / 3.).epsilon(1e-4));
    if (channels > 1) CHECK(real.ptr<float>()[0] == 0);  // a channel of one value is not changed
  }
  sample.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(7, 8, 9));
  CHECK(applied(*change, sample).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(7, 8, 9));
  CHECK(applied(*equalize_by("pil", true), sample).image.at<cv::Vec3b>(0, 0) == cv::Vec3b(7, 8, 9));
}

TEST_CASE("equalize takes a volume, and a view, as a whole") {
  for (const bool by_channels : {true, false}) {
    const auto change = equalize_by("cv", by_channels);
    const auto flat = equalize_sample();
    const auto expected = applied(*change, flat).image;
    auto sample = flat;
    const int sizes[] = {4, 5, 32};
    sample.image = flat.image.reshape(3, 3, sizes);
    const auto volume = applied(*change, sample).image;
    REQUIRE(volume.dims == 3);
    REQUIRE(volume.size[1] == 5);
    CHECK(std::equal(volume.data, volume.data + 20 * 32 * 3, expected.data));
    cv::Mat larger(25, 40, CV_8UC3, cv::Scalar::all(99));
    sample.image = larger(cv::Rect(3, 2, 32, 20));
    flat.image.copyTo(sample.image);
    CHECK(cv::norm(applied(*change, sample).image, expected, cv::NORM_INF) == 0);
  }
}

TEST_CASE("equalize is applied as often as its probability says, and leaves annotation alone") {
  sectile::test::check_applied_half_the_time("equalize");
  const Sample sample;
  CHECK(applied(*equalize_by("cv", true), sample).image.empty());
}

TEST_CASE("equalize says what does not fit") {
  auto sample = equalize_sample();
  sample.image = cv::Mat::zeros(2, 2, CV_8UC(4));
  CHECK_THROWS_WITH_AS(applied(*equalize_by("cv", false), sample), doctest::Contains("dark: has 4 channels"),
                       sectile::DataError);
  sample.image = cv::Mat::zeros(2, 2, CV_16UC1);
  CHECK_THROWS_WITH_AS(applied(*equalize_by("pil", true), sample), doctest::Contains("expected 8 bits"),
                       sectile::DataError);
  sample.image = cv::Mat::zeros(2, 2, CV_16SC1);
  CHECK_THROWS_WITH_AS(applied(*equalize_by("cv", true), sample), doctest::Contains("16SC1"), sectile::DataError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "equalize", "mode": "skimage"})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "equalize", "by_channels": 3})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "equalize", "probability": 2})"), sectile::SpecError);
}
