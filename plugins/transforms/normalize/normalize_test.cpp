#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

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
