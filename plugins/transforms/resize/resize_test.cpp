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

// https://github.com/pytorch/vision/issues/8370: the shorter side becomes shortest_edge, also of larger images, and
// sides are rounded down; boxes follow the ratio of each side.
TEST_CASE("resize of a detector's image takes boxes along, side by side") {
  struct Expected {
    int shortest, longest, height, width;
    std::vector<int> size;
    cv::Rect2f box;  // from a quarter to three quarters of the width, and from a quarter to half of the height
  };
  const Expected all[] = {{800, 1333, 480, 640, {800, 1066}, {266.5, 200, 533, 200}},
                          {800, 1333, 333, 500, {800, 1201}, {300.25, 200, 600.5, 200}},
                          {800, 1333, 427, 640, {800, 1199}, {299.75, 200, 599.5, 200}},
                          {800, 1333, 1000, 400, {1333, 533}, {133.25, 333.25, 266.5, 333.25}},
                          {800, 1333, 375, 500, {800, 1066}, {266.5, 200, 533, 200}},
                          {800, 1333, 612, 612, {800, 800}, {200, 200, 400, 200}},
                          {800, 1333, 100, 701, {190, 1333}, {333.25, 47.5, 666.5, 47.5}},
                          {100, 170, 800, 1333, {100, 166}, {41.5, 25, 83, 25}},
                          {64, 90, 77, 131, {52, 90}, {22.5, 13, 45, 13}},
                          {1, 1333, 30, 40, {1, 1}, {0.25, 0.25, 0.5, 0.25}}};
  for (const auto& one : all) {
    CAPTURE(one.height);
    CAPTURE(one.width);
    Sample sample;
    sample.id = "image";
    sample.image = cv::Mat(one.height, one.width, CV_8U, cv::Scalar(0));
    sample.instances.emplace_back();
    const auto width = static_cast<float>(one.width), height = static_cast<float>(one.height);
    sample.instances.back().box = {width / 4, height / 4, width / 2, height / 4};
    const auto after = resized({{"shortest_edge", one.shortest}, {"longest_edge", one.longest}}, sample);
    CHECK(std::vector<int>{after.image.rows, after.image.cols} == one.size);
    const auto& box = after.instances.at(0).box;
    CHECK(box.x == doctest::Approx(one.box.x).epsilon(1e-6));
    CHECK(box.y == doctest::Approx(one.box.y).epsilon(1e-6));
    CHECK(box.width == doctest::Approx(one.box.width).epsilon(1e-6));
    CHECK(box.height == doctest::Approx(one.box.height).epsilon(1e-6));
  }
}

// torchvision multiplies by a scale in floating point and gives 799 x 1194 and 1063 x 799 here.
TEST_CASE("resize of a detector's image loses no pixel to rounding") {
  const nlohmann::json options = {{"shortest_edge", 800}, {"longest_edge", 1333}};
  CHECK(resized_size(options, 335, 500) == std::vector<int>{800, 1194});
  CHECK(resized_size(options, 512, 385) == std::vector<int>{1063, 800});
  // https://github.com/facebookresearch/dinov2/pull/378
  for (const auto& [from, wanted] :
       {std::pair{14, 61}, {14, 115}, {14, 122}, {37, 39}, {37, 43}, {37, 78}, {14, 60}, {14, 28}})
    CHECK(resized_size({{"shortest_edge", wanted}}, from, from) == std::vector<int>{wanted, wanted});
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
