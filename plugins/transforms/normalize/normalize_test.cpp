#include <algorithm>
#include <cmath>
#include <limits>

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

Sample image(int type) {
  Sample sample;
  sample.id = "image";
  sample.image = cv::Mat(2, 2, type);
  std::fill_n(sample.image.data, sample.image.total() * sample.image.elemSize(), std::uint8_t{100});
  if (sample.image.depth() == CV_32F) sample.image.setTo(0.4);
  return sample;
}
std::vector<float> times(std::vector<float> values, float factor) {
  for (float& value : values) value *= factor;
  return values;
}
bool near(const std::vector<float>& a, const std::vector<float>& b) {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (a[i] != doctest::Approx(b[i])) return false;
  return true;
}

// As in expected.py.
Sample measured_image(const std::string& kind) {
  Sample sample;
  const auto scattered = [](std::int64_t i) { return (i * i * 40503 + i * 9973) % 65521; };
  if (kind == "16S") {
    sample.image = cv::Mat(6, 7, CV_16S);
    for (std::int64_t i = 0; i < 6 * 7; ++i)
      sample.image.ptr<std::int16_t>()[i] = static_cast<std::int16_t>(scattered(i) % 300 - 150);
    return sample;
  }
  sample.image = cv::Mat(6, 7, CV_8UC3);
  for (std::int64_t i = 0; i < 6 * 7 * 3; ++i)
    sample.image.data[i] = static_cast<std::uint8_t>(scattered(i) % 200 / (i % 3 == 1 ? 2 : 1));
  if (kind == "32F") {
    cv::Mat real;
    sample.image.convertTo(real, CV_32F, 1. / 128);
    sample.image = real;
  }
  return sample;
}

// The values that a batch gets.
std::vector<double> normalized_values(const Sample& sample) {
  cv::Mat real;
  sample.image.convertTo(real, CV_32F);
  std::vector<double> values;
  const auto channels = sample.mean.size();
  for (std::size_t i = 0; i < real.total() * channels; ++i)
    values.push_back((real.ptr<float>()[i] - sample.mean[i % channels]) / sample.deviation[i % channels]);
  return values;
}

}  // namespace

TEST_CASE("normalize notes ImageNet's mean and deviation in the units of the image, and leaves the pixels") {
  const auto normalize = make<Transform>(R"({"type": "normalize"})");
  const auto color = applied(*normalize, image(CV_8UC3));
  CHECK(near(color.mean, {123.675f, 116.28f, 103.53f}));  // torchvision's numbers times 255
  CHECK(near(color.deviation, {58.395f, 57.12f, 57.375f}));
  CHECK(color.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(100, 100, 100));
  CHECK(near(applied(*normalize, image(CV_16UC1)).mean, {0.449f * 65535}));
  CHECK(near(applied(*normalize, image(CV_32FC3)).deviation, {0.229f, 0.224f, 0.225f}));
  CHECK(near(applied(*normalize, image(CV_8UC(5))).deviation, times({0.226f, 0.226f, 0.226f, 0.226f, 0.226f}, 255)));
}

TEST_CASE("normalize takes values per channel, or one for all, and another unit") {
  const auto one = make<Transform>(R"({"type": "normalize", "mean": [0.5], "deviation": [0.25], "max_value": 1000})");
  CHECK(near(applied(*one, image(CV_16SC(2))).mean, {500, 500}));
  CHECK(near(applied(*one, image(CV_16SC(2))).deviation, {250, 250}));
}

TEST_CASE("normalize says what does not fit") {
  const auto three = make<Transform>(R"({"type": "normalize", "mean": [0, 0, 0], "deviation": [1, 1, 1]})");
  CHECK_THROWS_WITH_AS(applied(*three, image(CV_8UC1)),
                       doctest::Contains("image: has 1 channels, and normalize's \"mean\" 3 values"),
                       sectile::DataError);
  CHECK_THROWS_WITH_AS(applied(*make<Transform>(R"({"type": "normalize"})"), image(CV_16SC1)),
                       doctest::Contains("set normalize's \"max_value\""), sectile::DataError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "normalize", "deviation": [0]})"), doctest::Contains("more than 0"),
                       sectile::SpecError);
  const auto one = make<Transform>(R"({"type": "normalize"})");
  auto bytes_as_float = image(CV_32FC3);
  bytes_as_float.image.setTo(cv::Scalar(1, 2, 255));
  CHECK_THROWS_WITH_AS(applied(*one, bytes_as_float),
                       doctest::Contains("image: has floating point values of up to 255.000000, of which 1"),
                       sectile::DataError);
  CHECK_THROWS_WITH_AS(applied(*one, applied(*one, image(CV_8UC3))), doctest::Contains("image: is normalized already"),
                       sectile::DataError);
}

TEST_CASE("normalize by the image's own values gives the numbers of albumentations, TorchIO's scheme and nnU-Net") {
  const auto& expected = sectile::test::expected_of_transform("normalize");
  REQUIRE(expected.size() == 7);
  for (const auto& one : expected) {
    const auto method = one["method"].get<std::string>();
    CAPTURE(method);
    nlohmann::json options = {{"type", "normalize"}, {"method", method}};
    if (method.starts_with("percentile")) options["lower_percentile"] = 10, options["upper_percentile"] = 85;
    if (method == "ct_clip") options["clip"] = {-40, 90}, options["mean"] = {20.5}, options["deviation"] = {33.25};
    const auto before = measured_image(one["kind"].get<std::string>());
    const cv::Mat untouched = before.image.clone();
    const auto found = normalized_values(applied(*make<Transform>(options.dump()), before));
    const auto values = one["values"].get<std::vector<double>>();
    REQUIRE(values.size() == found.size());
    double most = 0;
    for (std::size_t i = 0; i < values.size(); ++i) most = std::max(most, std::abs(values[i] - found[i]));
    CHECK(most < 2e-5);                                           // albumentations adds 1e-4 to the deviation
    CHECK(cv::norm(before.image, untouched, cv::NORM_INF) == 0);  // what others may hold is not written to
  }
}

TEST_CASE("normalize measures all types, channels and volumes alike") {
  for (const char* method :
       {"image", "image_per_channel", "min_max", "min_max_per_channel", "percentile", "percentile_per_channel"}) {
    CAPTURE(method);
    const auto change = make<Transform>(nlohmann::json{{"type", "normalize"}, {"method", method}}.dump());
    for (const int channels : {1, 3, 4, 7}) {
      CAPTURE(channels);
      Sample sample;
      const int sizes[] = {3, 4, 5};
      cv::Mat values(3, sizes, CV_8UC(channels));
      for (std::size_t i = 0; i < values.total() * static_cast<std::size_t>(channels); ++i)
        values.data[i] = static_cast<std::uint8_t>((i * i * 31 + i * 7) % 251);
      sample.image = values;
      const auto expected = normalized_values(applied(*change, sample));
      for (const int depth : {CV_16U, CV_16S, CV_32F}) {
        values.convertTo(sample.image, depth);
        const auto after = applied(*change, sample);
        CHECK(after.image.type() == sample.image.type());
        CHECK(after.image.dims == 3);
        REQUIRE(after.mean.size() == static_cast<std::size_t>(channels));
        const auto found = normalized_values(after);
        double most = 0;
        for (std::size_t i = 0; i < found.size(); ++i) most = std::max(most, std::abs(found[i] - expected[i]));
        CHECK(most < (depth == CV_32F ? 0.05 : 1e-6));  // percentiles of integers are rounded
      }
    }
  }
}

TEST_CASE("normalize finds the percentiles of integers") {
  Sample sample;
  sample.image = (cv::Mat_<std::int16_t>(1, 5) << -30000, -10, 0, 10, 30000);
  const auto change = make<Transform>(
      R"({"type": "normalize", "method": "percentile", "lower_percentile": 25, "upper_percentile": 75})");
  const auto after = applied(*change, sample);
  CHECK(after.image.at<std::int16_t>(0, 0) == -10);
  CHECK(after.image.at<std::int16_t>(0, 4) == 10);
  CHECK(normalized_values(after) == std::vector<double>{0, 0, 0.5, 1, 1});
  sample.image = cv::Mat(1, 1, CV_8UC3, cv::Scalar(7, 8, 9));
  CHECK(normalized_values(applied(*change, sample)) == std::vector<double>{0, 0, 1});  // 7.5 and 8.5 rounded
  // numpy.percentile([0, 1, …, 200], [0.5, 99.5]) = [1, 199]
  sample.image = cv::Mat(1, 201, CV_8U);
  for (int i = 0; i < 201; ++i) sample.image.data[i] = static_cast<std::uint8_t>(i);
  const auto usual = applied(*make<Transform>(R"({"type": "normalize", "method": "percentile"})"), sample);
  CHECK(near(usual.mean, {1}));
  CHECK(near(usual.deviation, {198}));
}

TEST_CASE("normalize makes images of one value 0, takes unread images, and refuses what is not finite") {
  for (const char* method : {"image", "min_max_per_channel", "percentile"}) {
    const auto change = make<Transform>(nlohmann::json{{"type", "normalize"}, {"method", method}}.dump());
    Sample sample;
    sample.id = "image";
    CHECK(applied(*change, sample).mean.empty());
    sample.image = cv::Mat(4, 4, CV_32FC3, cv::Scalar::all(0.1));
    for (const double value : normalized_values(applied(*change, sample))) CHECK(value == 0);
    sample.image.at<cv::Vec3f>(2, 2)[1] = std::numeric_limits<float>::quiet_NaN();
    CHECK_THROWS_WITH_AS(applied(*change, sample),
                         doctest::Contains("image: has pixels that are not finite (NaN or Inf)"), sectile::DataError);
  }
}

TEST_CASE("normalize refuses options that do not belong to the method") {
  const auto refused = [](const nlohmann::json& options, const char* what) {
    auto spec = options;
    spec["type"] = "normalize";
    CAPTURE(spec.dump());
    CHECK_THROWS_WITH_AS(make<Transform>(spec.dump()), doctest::Contains(what), sectile::SpecError);
  };
  refused({{"method", "image"}, {"mean", {0.5}}}, "no effect");
  refused({{"method", "min_max"}, {"deviation", {0.5}}}, "no effect");
  refused({{"method", "percentile"}, {"max_value", 3}}, "no effect");
  refused({{"method", "min_max"}, {"lower_percentile", 3}}, "no effect");
  refused({{"upper_percentile", 99}}, "no effect");
  refused({{"clip", {0, 1}}}, "no effect");
  refused({{"method", "ct_clip"}, {"mean", {0}}, {"deviation", {1}}}, "expected [min, max]");
  refused({{"method", "ct_clip"}, {"clip", {1, 0}}, {"mean", {0}}, {"deviation", {1}}}, "not less than");
  refused({{"method", "ct_clip"}, {"clip", {0, 1}}, {"deviation", {1}}}, "is missing");
  refused({{"method", "ct_clip"}, {"clip", {0, 1}}, {"mean", {1}}}, "is missing");
  refused({{"method", "percentile"}, {"lower_percentile", 60}, {"upper_percentile", 50}}, "not less than");
  refused({{"method", "percentile"}, {"upper_percentile", 101}}, "upper_percentile");
  refused({{"method", "percentile"}, {"lower_percentile", -1}}, "lower_percentile");
  refused({{"method", "zscore"}}, "method");
}

TEST_CASE("normalize takes float images a little above 1, and none whose white is not 1") {
  const auto usual = make<Transform>(R"({"type": "normalize"})");
  Sample sample;
  sample.image = cv::Mat(2, 2, CV_32FC3, cv::Scalar::all(0.5));
  sample.image.at<cv::Vec3f>(1, 1)[2] = 1.9f;
  CHECK(applied(*usual, sample).mean.size() == 3);
  sample.image.at<cv::Vec3f>(1, 1)[2] = 2.1f;
  CHECK_THROWS_WITH_AS(applied(*usual, sample), doctest::Contains("of which 1 would be taken as white"),
                       sectile::DataError);
}
