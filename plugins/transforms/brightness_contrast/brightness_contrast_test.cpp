
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/distribution.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::applied;
using sectile::test::make;

namespace {

Sample all_values() {
  Sample sample;
  sample.image = cv::Mat(16, 16, CV_8U);
  for (int i = 0; i < 256; ++i) sample.image.data[i] = static_cast<std::uint8_t>(i);
  return sample;
}

}  // namespace

TEST_CASE("brightness_contrast gives the numbers of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("brightness_contrast");
  REQUIRE(expected.size() == 5);
  for (const auto& one : expected) {
    CAPTURE(one["contrast"].get<double>());
    const nlohmann::json spec = {{"type", "brightness_contrast"},
                                 {"contrast_limit", {one["contrast"], one["contrast"]}},
                                 {"brightness_limit", {one["brightness"], one["brightness"]}},
                                 {"brightness_by_max", one["by_max"]},
                                 {"probability", 1}};
    const auto before = all_values();
    const auto after = applied(*make<Transform>(spec.dump()), before);
    CHECK(std::vector<int>(after.image.data, after.image.data + 256) == one["values"].get<std::vector<int>>());
    CHECK(before.image.data[200] == 200);  // what others may hold is not written to
  }
}

TEST_CASE("brightness_contrast changes 16-bit and float images by the same formula") {
  const auto change = make<Transform>(
      R"({"type": "brightness_contrast", "contrast_limit": [0.5, 0.5], "brightness_limit": [-0.1, -0.1], "probability": 1})");
  Sample sample;
  sample.image = (cv::Mat_<std::uint16_t>(1, 3) << 0, 20000, 60000);
  const auto wide = applied(*change, sample).image;
  CHECK(wide.at<std::uint16_t>(0, 0) == 0);
  CHECK(wide.at<std::uint16_t>(0, 1) == 23446);  // 30000 - 6553.5, cut off
  CHECK(wide.at<std::uint16_t>(0, 2) == 65535);
  sample.image = cv::Mat(1, 1, CV_32FC(5), cv::Scalar::all(0));
  sample.image.ptr<float>()[4] = 0.5f;
  CHECK(applied(*change, sample).image.ptr<float>()[4] == doctest::Approx(0.65f));
  sample.image = cv::Mat(1, 1, CV_16S, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(applied(*change, sample), doctest::Contains("CV_16SC1"), sectile::DataError);
}

TEST_CASE("brightness_contrast leaves annotation and size alone, and draws within its limits") {
  const auto change = make<Transform>(R"({"type": "brightness_contrast", "probability": 1, "contrast_limit": [0, 0]})");
  double least = 255, most = 0;
  Sample sample = sectile::test::annotated();
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    Sample grey = sample;
    grey.image = cv::Mat(17, 23, CV_8U, cv::Scalar(100));
    const auto after = applied(*change, grey, seed);
    least = std::min<double>(least, after.image.data[0]), most = std::max<double>(most, after.image.data[0]);
    CHECK(after.labels.data == sample.labels.data);
  }
  CHECK(least >= 49);
  CHECK(least < 55);
  CHECK(most <= 151);
  CHECK(most > 145);
}

TEST_CASE("brightness_contrast draws its two changes uniformly and independently, like albumentations") {
  const auto change = make<Transform>(R"({"type": "brightness_contrast", "probability": 1})");
  Sample sample;
  sample.image = (cv::Mat_<float>(1, 2) << 0, 1);
  std::vector<double> brightness, contrast;
  double common = 0;
  for (std::uint64_t seed = 0; seed < 500; ++seed) {
    const cv::Mat after = applied(*change, sample, seed).image;
    brightness.push_back(after.at<float>(0, 0));
    contrast.push_back(after.at<float>(0, 1) - after.at<float>(0, 0) - 1);
    common += brightness.back() * contrast.back() / 0.04;
  }
  sectile::test::check_uniform(brightness, -0.2, 0.2);
  sectile::test::check_uniform(contrast, -0.2, 0.2);
  CHECK(std::abs(common / 500) < 4 / std::sqrt(9.0 * 500));  // four standard deviations
}
