#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <utility>

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

Sample clahe_sample(int height, int width, int channels) {
  return sectile::test::pattern_of("slope", {width, height}, channels, [&](int x, int y, int c) {
    const int i = (y * width + x) * channels + c;
    return 40 + i * 100 / (height * width * channels) + sectile::test::scattered(i) % 64;
  });
}

std::shared_ptr<Transform> clahe(double limit, int columns, int rows) {
  return make<Transform>(nlohmann::json{
      {"type", "clahe"},
      {"clip_limit", {limit, limit}},
      {"tile_grid_size", {columns, rows}},
      {"probability", 1}}.dump());
}

double clahe_difference(const cv::Mat& a, const cv::Mat& b) {  // per value
  return cv::norm(a, b, cv::NORM_L1) / static_cast<double>(a.total() * static_cast<std::size_t>(a.channels()));
}

}  // namespace

TEST_CASE("clahe gives the pixels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("clahe");
  REQUIRE(expected.size() == 5);
  for (const auto& one : expected) {
    CAPTURE(one["size"].dump());
    const auto size = one["size"].get<std::vector<int>>(), tiles = one["tile_grid_size"].get<std::vector<int>>();
    const auto change = clahe(one["clip_limit"].get<double>(), tiles[0], tiles[1]);
    const auto before = clahe_sample(size[0], size[1], size[2]), untouched = clahe_sample(size[0], size[1], size[2]);
    const auto after = applied(*change, before).image;
    const auto values = one["values"].get<std::vector<int>>();
    REQUIRE(values.size() == after.total() * static_cast<std::size_t>(size[2]));
    int most = 0;
    for (std::size_t i = 0; i < values.size(); ++i) most = std::max(most, std::abs(values[i] - after.data[i]));
    CHECK(most <= (size[2] == 1 ? 0 : 2));  // versions of OpenCV round some L*a*b* to RGB otherwise
    CHECK(cv::norm(before.image, untouched.image, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("clahe gives 16-bit and float images the values of 8-bit images, and keeps steps between them") {
  for (const int channels : {1, 4, 7})
    for (const auto& [height, width] : {std::pair(24, 32), std::pair(23, 32), std::pair(5, 6), std::pair(1, 1)}) {
      CAPTURE(channels);
      CAPTURE(height);
      const auto change = clahe(3, 4, 3);
      const auto bytes = clahe_sample(height, width, channels);
      const auto expected = applied(*change, bytes).image;
      Sample sample = bytes;
      cv::Mat back;
      bytes.image.convertTo(sample.image, CV_16U, 257);
      applied(*change, sample).image.convertTo(back, CV_8U, 1. / 257);
      CHECK(clahe_difference(back, expected) < 0.6);
      bytes.image.convertTo(sample.image, CV_32F, 1. / 255);
      applied(*change, sample).image.convertTo(back, CV_8U, 255);
      CHECK(clahe_difference(back, expected) < 0.6);
    }
  // 8-bit lightness is rounded, which tiles of few pixels would enlarge.
  const auto one_tile = clahe(2, 1, 1);
  const auto colors = clahe_sample(64, 48, 3);
  Sample wide = colors, real = colors;
  colors.image.convertTo(wide.image, CV_16U, 257);
  colors.image.convertTo(real.image, CV_32F, 1. / 255);
  cv::Mat of_wide, of_real;
  applied(*one_tile, wide).image.convertTo(of_wide, CV_8U, 1. / 257);
  applied(*one_tile, real).image.convertTo(of_real, CV_8U, 255);
  CHECK(clahe_difference(of_wide, applied(*one_tile, colors).image) < 1.5);
  CHECK(clahe_difference(of_real, applied(*one_tile, colors).image) < 1.5);
  Sample sample;
  sample.image = cv::Mat(8, 64, CV_16U);
  for (int i = 0; i < 8 * 64; ++i) sample.image.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(20000 + 10 * i);
  const auto after = applied(*clahe(256, 1, 1), sample).image;
  int steps = 0;
  for (int i = 1; i < 8 * 64; ++i) steps += after.ptr<std::uint16_t>()[i] > after.ptr<std::uint16_t>()[i - 1];
  CHECK(steps == 8 * 64 - 1);  // each of 512 values in 20 of 256 levels
}

TEST_CASE("clahe limits contrast more by a smaller limit, and draws within its limits") {
  Sample sample = sectile::test::annotated();
  sample.image = clahe_sample(64, 64, 1).image;  // tiles of 1024 pixels, 4 per level
  const auto spread = [&](const Transform& change, std::uint64_t seed) {
    cv::Scalar mean, deviation;
    const auto after = applied(change, sample, seed);
    CHECK(after.labels.data == sample.labels.data);
    cv::meanStdDev(after.image, mean, deviation);
    return deviation[0];
  };
  const double least = spread(*clahe(1, 2, 2), 1), most = spread(*clahe(4, 2, 2), 1);
  CHECK(most > least * 1.2);
  const auto change = make<Transform>(R"({"type": "clahe", "tile_grid_size": [2, 2], "probability": 1})");
  double lowest = 1e9, highest = 0;
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    const double drawn = spread(*change, seed);
    lowest = std::min(lowest, drawn), highest = std::max(highest, drawn);
  }
  CHECK(lowest >= least);
  CHECK(lowest < least + 0.2 * (most - least));
  CHECK(highest <= most);
  CHECK(highest > most - 0.2 * (most - least));
  CHECK(applied(*make<Transform>(R"({"type": "clahe", "probability": 0})"), sample).image.data == sample.image.data);
  sample.image = cv::Mat();
  CHECK(applied(*change, sample).image.empty());
}

TEST_CASE("clahe takes volumes slice by slice, views, and floats that are no number") {
  const auto change = clahe(3, 4, 3);
  const auto flat = clahe_sample(24, 32, 1);
  auto sample = flat;
  const int sizes[] = {2, 12, 32};
  sample.image = flat.image.reshape(1, 3, sizes);
  const auto volume = applied(*change, sample).image;
  REQUIRE(volume.dims == 3);
  for (int z = 0; z < 2; ++z) {
    sample.image = flat.image.rowRange(12 * z, 12 * z + 12);  // a view: its neighbors must not count
    const auto slice = applied(*change, sample).image;
    CHECK(std::equal(slice.data, slice.data + 12 * 32, volume.ptr(z)));
  }
  sample.image = flat.image(cv::Rect(3, 2, 21, 17));
  const auto of_view = applied(*change, sample).image;
  sample.image = sample.image.clone();
  CHECK(cv::norm(of_view, applied(*change, sample).image, cv::NORM_INF) == 0);
  sample.image = cv::Mat(9, 9, CV_32F, cv::Scalar(0.5));
  sample.image.at<float>(4, 4) = std::numeric_limits<float>::quiet_NaN();
  CHECK(std::isnan(applied(*change, sample).image.at<float>(4, 4)));
}

TEST_CASE("clahe says what does not fit") {
  Sample sample;
  sample.image = cv::Mat::zeros(2, 2, CV_16SC1);
  CHECK_THROWS_WITH_AS(applied(*clahe(2, 8, 8), sample), doctest::Contains("16SC1"), sectile::DataError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "clahe", "clip_limit": [4, 2]})"),
                       doctest::Contains("minimum is greater"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "clahe", "clip_limit": [0, 2]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "clahe", "tile_grid_size": [0, 2]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "clahe", "tile_grid_size": [8, 257]})"), sectile::SpecError);
  CHECK_THROWS_AS(make<Transform>(R"({"type": "clahe", "probability": 2})"), sectile::SpecError);
}
