#include <fstream>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

namespace {

const nlohmann::json& expected() {
  static const auto json =
      nlohmann::json::parse(std::ifstream(SECTILE_SOURCE_DIR "/plugins/transforms/resize/expected.json"));
  return json;
}

// As in expected.py.
Sample scattered(int height, int width, const std::string& kind) {
  Sample sample;
  sample.id = "scattered";
  sample.image.create(height, width, kind == "8U" ? CV_8UC3 : kind == "16U" ? CV_16U : CV_32F);
  const auto count = static_cast<std::int64_t>(sample.image.total()) * sample.image.channels();
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t value = (i * i * 40503 + i * 9973) % 65521;
    if (kind == "8U")
      sample.image.ptr<std::uint8_t>()[i] = static_cast<std::uint8_t>(value % 256);
    else if (kind == "16U")
      sample.image.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(value);
    else
      sample.image.ptr<float>()[i] = static_cast<float>(value) / 65536;
  }
  return sample;
}

std::vector<double> values(const cv::Mat& image) {
  cv::Mat wide;
  image.reshape(1, 1).convertTo(wide, CV_64F);
  return {wide.ptr<double>(), wide.ptr<double>() + wide.total()};
}

std::string spec(nlohmann::json options) {
  options["type"] = "resize";
  return options.dump();
}

Sample resized(const nlohmann::json& options, const Sample& sample) {
  return applied(*make<Transform>(spec(options)), sample);
}

std::vector<int> resized_size(const nlohmann::json& options, int height, int width) {
  Sample sample;
  sample.id = "image";
  sample.image = cv::Mat(height, width, CV_8U, cv::Scalar(0));
  const auto after = resized(options, sample).image;
  return {after.rows, after.cols};
}

}  // namespace

TEST_CASE("resize gives the pixels of Pillow and of OpenCV") {
  REQUIRE(expected()["pixels"].size() == 44);
  for (const auto& one : expected()["pixels"]) {
    CAPTURE(one["backend"].get<std::string>());
    CAPTURE(one["interpolation"].get<std::string>());
    const auto kind = one["kind"].get<std::string>();
    CAPTURE(kind);
    CAPTURE(one["to"].dump());
    const auto after =
        resized({{"size", one["to"]}, {"backend", one["backend"]}, {"interpolation", one["interpolation"]}},
                scattered(one["from"][0], one["from"][1], kind));
    const auto wanted = one["values"].get<std::vector<double>>();
    const auto found = values(after.image);
    REQUIRE(found.size() == wanted.size());
    int wrong = 0;
    for (std::size_t i = 0; i < wanted.size(); ++i)
      wrong += kind == "32F" ? std::abs(found[i] - wanted[i]) > 1e-6 : found[i] != wanted[i];
    CHECK(wrong == 0);
  }
}

TEST_CASE("resize treats each of many channels, and the part of a larger image, like an image of its own") {
  const Sample one = scattered(20, 30, "8U");
  cv::Mat channels[3], many;
  cv::split(one.image, channels);
  cv::merge(std::vector<cv::Mat>{channels[0], channels[1], channels[2], channels[0], channels[1]}, many);
  const cv::Rect part(4, 5, 17, 11);
  Sample five, alone;
  five.image = many(part), alone.image = channels[1](part).clone();
  for (const char* backend : {"pillow", "cv2"})
    for (const char* interpolation : {"nearest", "bilinear", "bicubic", "lanczos", "area"}) {
      if (backend == std::string("pillow") && interpolation == std::string("area")) continue;
      CAPTURE(backend);
      CAPTURE(interpolation);
      const nlohmann::json options = {{"size", {6, 23}}, {"backend", backend}, {"interpolation", interpolation}};
      cv::Mat second;
      cv::extractChannel(resized(options, five).image, second, 1);
      CHECK(values(second) == values(resized(options, alone).image));
    }
}

TEST_CASE("resize saturates 16-bit values that overshoot, and keeps those of a float image") {
  Sample sample;
  sample.image = (cv::Mat_<std::uint16_t>(1, 4) << 0, 65535, 65535, 0);
  const auto wide = values(resized({{"size", {1, 9}}, {"interpolation", "bicubic"}}, sample).image);
  CHECK(*std::min_element(wide.begin(), wide.end()) == 0);
  CHECK(*std::max_element(wide.begin(), wide.end()) == 65535);
  sample.image.convertTo(sample.image, CV_32F);
  const auto free = values(resized({{"size", {1, 9}}, {"interpolation", "bicubic"}}, sample).image);
  CHECK(*std::max_element(free.begin(), free.end()) > 65536);
  sample.image = (cv::Mat_<std::int16_t>(1, 2) << -2, -4);
  CHECK(values(resized({{"size", {1, 4}}}, sample).image) == std::vector<double>{-2, -3, -4, -4});  // of -2.5 and -3.5
}

TEST_CASE("resize moves all annotation with the image, and notes how to go back to the file's size") {
  const auto before = annotated();
  for (const char* backend : {"pillow", "cv2"})
    for (const auto& [height, width] : {std::pair(9, 31), {34, 46}, {5, 7}, {17, 23}, {17, 50}}) {
      CAPTURE(height);
      const auto after = resized({{"size", {height, width}}, {"backend", backend}}, before);
      CHECK(after.image.size() == cv::Size(width, height));
      check_moved_together(before, after, true);
      const cv::Vec4d corner = after.geometry.to_original * cv::Vec4d(width, height, 0.5, 1);
      CHECK(corner[0] == doctest::Approx(23));
      CHECK(corner[1] == doctest::Approx(17));
      CHECK(after.geometry.original == sectile::Extent{1, 17, 23});
      CHECK(after.geometry.invertible);
    }
  const auto doubled = resized({{"size", {34, 46}}}, before);
  CHECK(doubled.instances.back().box == cv::Rect2f(8, 18, 24, 12));
}

TEST_CASE("resize gives the sizes of torchvision's detection models") {
  for (const auto& one : expected()["sizes"]) {
    CAPTURE(one.dump());
    const nlohmann::json options = {{"shortest_edge", one["shortest_edge"]}, {"longest_edge", one["longest_edge"]}};
    CHECK(resized_size(options, one["from"][0], one["from"][1]) == one["to"].get<std::vector<int>>());
  }
}

TEST_CASE("resize rounds sides as it is told, to whole pixels or multiples, and never to 0") {
  const auto size = [](int height, int width) { return std::vector<int>{height, width}; };
  CHECK(resized_size({}, 70, 100) == size(64, 96));
  CHECK(resized_size({}, 10, 100) == size(32, 96));
  CHECK(resized_size({{"rounding", "ceil"}}, 64, 100) == size(64, 128));
  CHECK(resized_size({{"divisor", 14}, {"rounding", "nearest"}}, 21, 20) == size(28, 14));
  // 480 x 640 by detectron2's rule: int(1066.67 + 0.5)
  const nlohmann::json detectron2 = {{"shortest_edge", 800}, {"longest_edge", 1333}, {"rounding", "nearest"}};
  CHECK(resized_size(detectron2, 480, 640) == size(800, 1067));
  CHECK(resized_size({{"longest_edge", 1024}, {"rounding", "nearest"}}, 333, 500) == size(682, 1024));  // as in SAM
  CHECK(resized_size({{"longest_edge", 50}}, 200, 100) == size(50, 25));
  CHECK(resized_size({{"shortest_edge", 100}, {"divisor", 14}}, 100, 199) == size(98, 196));
  CHECK(resized_size({{"shortest_edge", 61}}, 14, 14) == size(61, 61));  // 14 * (61 / 14.) is less than 61
  CHECK(resized_size({{"longest_edge", 10}}, 1, 1000) == size(1, 10));
}

TEST_CASE("resize says what is wrong with its options and images") {
  const auto refused = [](const nlohmann::json& options, const char* message) {
    CHECK_THROWS_WITH_AS(make<Transform>(spec(options)), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"size", {0, 5}}}, "/part/size/0: 0 is too small");
  refused({{"size", {5}}}, "/part/size: has 1 values; expected [height, width]");
  refused({{"shortest_edge", 2000000}}, "/part/shortest_edge: 2000000 is too large");
  refused({{"size", {5, 5}}, {"divisor", 5}}, "/part/divisor: has no effect with \"size\", which is exact");
  refused({{"shortest_edge", 800}, {"longest_edge", 800}}, "/part/shortest_edge: is not less than \"longest_edge\"");
  refused({{"interpolation", "area"}}, "/part/interpolation: \"area\" is an interpolation of OpenCV: set \"backend\"");
  CHECK_THROWS_WITH_AS(resized_size({{"shortest_edge", 800}}, 1, 700000),
                       doctest::Contains("image: would become 800 x 560000000 pixels, and up to 536870912 are"),
                       sectile::DataError);
  Sample volume;
  volume.id = "volume";
  volume.image = cv::Mat({4, 5, 6}, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(resized({}, volume), doctest::Contains("volume: is a volume, and resize takes images"),
                       sectile::DataError);
}
