#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/imgproc.hpp>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Draw;
using sectile::kIgnore;
using sectile::Random;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::make;

namespace {

std::shared_ptr<Transform> mosaic_of(nlohmann::json options, const sectile::BuildContext& context = {}) {
  return sectile::test::always("mosaic", std::move(options), context);
}

// Of one sample and others, one after the other.
Sample mosaic_from(const Transform& transform, Sample sample, const std::vector<Sample>& others,
                   std::uint64_t seed = 1) {
  std::size_t next = 0;
  Draw draw(Random{seed}, [&](Random&) { return others.at(next++); });
  transform.apply(sample, draw);
  return sample;
}

// One value everywhere, and in a corner another one.
Sample mosaic_tile(int value, cv::Size size = {8, 6}) {
  Sample sample;
  sample.id = "tile " + std::to_string(value);
  sample.image = cv::Mat(size, CV_8U, cv::Scalar(value));
  sample.labels = cv::Mat(size, CV_16S, cv::Scalar(value % 4));
  return sample;
}

// As in expected.py.
Sample mosaic_input(int height, int width) {
  Sample sample;
  sample.id = "sample";
  sample.image = cv::Mat(height, width, CV_8UC3);
  sample.labels = cv::Mat(height, width, CV_16S);
  const auto value = [](int number) { return static_cast<std::uint8_t>(number % 256); };
  for (int y = 0; y < height; ++y)
    for (int x = 0; x < width; ++x) {
      sample.image.at<cv::Vec3b>(y, x) = {value(y * 9), value(x * 13), value(x * y * 5)};
      sample.labels.at<std::int16_t>(y, x) = static_cast<std::int16_t>(y * 3 / height + x * 5 / width);
    }
  return sample;
}

template <class T>
cv::Mat mosaic_rows(const std::vector<T>& values, int height, int width, int type) {
  return cv::Mat(height, width, type, const_cast<T*>(values.data())).clone();
}

}  // namespace

TEST_CASE("mosaic gives the images and labels of albumentations 2.0.8") {
  const auto& expected = sectile::test::expected_of_transform("mosaic");
  REQUIRE(expected.size() == 8);
  for (const auto& one : expected) {
    CAPTURE(one["place"].get<double>());
    const int height = one["size"][0], width = one["size"][1];
    CAPTURE(height);
    const auto sample = mosaic_input(height, width);
    const auto transform =
        mosaic_of({{"target_size", {10, 14}}, {"cell_shape", {8, 12}}, {"center_range", {one["place"], one["place"]}}});
    const auto after = mosaic_from(*transform, sample, {sample, sample, sample});
    REQUIRE(after.image.size() == cv::Size(14, 10));
    const auto image = mosaic_rows(one["image"].get<std::vector<std::uint8_t>>(), 10, 14, CV_8UC3);
    if (one["mask"].is_null()) {
      CHECK(cv::norm(after.image, image, cv::NORM_L1) / (10 * 14 * 3) <= 1);
      continue;
    }
    CHECK(cv::norm(after.image, image, cv::NORM_INF) == 0);
    const auto labels = mosaic_rows(one["mask"].get<std::vector<std::int16_t>>(), 10, 14, CV_16S);
    CHECK(cv::norm(after.labels, labels, cv::NORM_INF) == 0);
  }
}

// What implementations got wrong: gaps have the class 0 (https://github.com/open-mmlab/mmdetection/pull/5897), and
// boxes that were pushed out stay, without width (https://github.com/ultralytics/ultralytics/issues/20954). Four images
// of 5 x 5 around the point (4, 6), each cut at the border of 10 x 10; what is expected was made by plain loops.
TEST_CASE("gaps of a mosaic are ignored, and objects that are pushed out go") {
  int labels[4][5][5] = {{{0, 0, 0, 0, 0}, {1, 0, 0, 0, 0}, {1, 2, 2, 2, 2}, {1, 2, 2, 2, 2}, {0, 0, 0, 0, 0}},
                         {{3, 3, 3, 0, 0}, {3, 3, 3, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}},
                         {{0, 0, 0, 0, 0}, {0, 4, 4, 4, 0}, {0, 4, 4, 4, 0}, {0, 4, 4, 4, 0}, {0, 4, 4, 4, 0}},
                         {{0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {0, 0, 0, 0, 0}, {5, 5, 5, 5, 5}}};
  const int expected[10][10] = {{-1, -1, -1, -1, -1, -1, -1, -1, -1, -1}, {0, 0, 0, 0, 3, 3, 3, 0, 0, -1},
                                {0, 0, 0, 0, 3, 3, 3, 0, 0, -1},          {2, 2, 2, 2, 0, 0, 0, 0, 0, -1},
                                {2, 2, 2, 2, 0, 0, 0, 0, 0, -1},          {0, 0, 0, 0, 0, 0, 0, 0, 0, -1},
                                {0, 0, 0, 0, 0, 0, 0, 0, 0, -1},          {4, 4, 4, 0, 0, 0, 0, 0, 0, -1},
                                {4, 4, 4, 0, 0, 0, 0, 0, 0, -1},          {4, 4, 4, 0, 0, 0, 0, 0, 0, -1}};
  Sample tiles[4];
  for (int i = 0; i < 4; ++i) {
    tiles[i].id = std::to_string(i);
    tiles[i].image = cv::Mat(5, 5, CV_8U, cv::Scalar(10 * i + 10));
    cv::Mat(5, 5, CV_32S, labels[i]).convertTo(tiles[i].labels, CV_16S);
    for (int category = 1; category <= 5; ++category) {
      const cv::Mat bits = tiles[i].labels == category;
      if (cv::countNonZero(bits) == 0) continue;
      sectile::Instance instance;
      instance.category = category;
      instance.box = sectile::Mask(cv::Mat(bits / 255)).box();  // the box alone
      tiles[i].instances.push_back(instance);
      instance.mask = sectile::Mask(cv::Mat(bits / 255));
      tiles[i].instances.push_back(instance);
    }
  }
  const auto transform = mosaic_of({{"target_size", {10, 10}},
                                    {"cell_shape", {10, 10}},
                                    {"center_range", {0, 1}},
                                    {"fit_mode", "none"},
                                    {"fill", 114}});
  bool found = false;
  for (std::uint64_t seed = 0; seed < 2000 && !found; ++seed) {
    // The image at the top right has the largest part, and is the sample itself.
    const auto after = mosaic_from(*transform, tiles[1], {tiles[0], tiles[2], tiles[3]}, seed);
    cv::Mat image(10, 10, CV_8U, cv::Scalar(114));
    image(cv::Rect(0, 1, 4, 5)).setTo(10), image(cv::Rect(4, 1, 5, 5)).setTo(20);
    image(cv::Rect(0, 6, 4, 4)).setTo(30), image(cv::Rect(4, 6, 5, 4)).setTo(40);
    if (cv::norm(after.image, image, cv::NORM_INF) > 0) continue;  // around another point
    found = true;
    int wrong = 0;
    for (int y = 0; y < 10; ++y)
      for (int x = 0; x < 10; ++x) wrong += after.labels.at<std::int16_t>(y, x) != expected[y][x];
    CHECK(wrong == 0);
    const cv::Rect2f boxes[] = {{0, 3, 4, 2}, {4, 1, 3, 2}, {0, 7, 3, 3}};
    REQUIRE(after.instances.size() == 6);
    for (std::size_t i = 0; i < 6; ++i) {
      CHECK(after.instances[i].category == static_cast<int>(i) / 2 + 2);
      CHECK(after.instances[i].box == boxes[i / 2]);
    }
  }
  CHECK(found);
}

TEST_CASE("mosaic joins all annotation, with ids that differ, and leaves what others hold") {
  const auto before = annotated();
  const auto image = before.image.clone();
  auto sample = before, other = before;
  other.tags = {3, 1}, sample.tags = {2};
  const auto transform = mosaic_of({{"target_size", {40, 60}},
                                    {"cell_shape", {40, 60}},
                                    {"center_range", {0.5, 0.5}},
                                    {"fit_mode", "none"},
                                    {"fill", {1, 2, 3}}});
  const auto after = mosaic_from(*transform, sample, {other, other, other});
  CHECK(cv::norm(before.image, image, cv::NORM_INF) == 0);
  CHECK(after.tags == std::vector<int>{1, 2, 3});
  CHECK(after.instances.size() == 12);
  CHECK(after.segments.size() == 16);
  CHECK(cv::countNonZero(after.labels == kIgnore) == 40 * 60 - 4 * 17 * 23);
  CHECK(cv::countNonZero(after.segment_ids == 0) == 40 * 60 - 4 * 17 * 23);
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(1, 2, 3));
  CHECK(after.targets.at("linear").at<float>(0, 0) == 0);
  CHECK(after.targets.at("nearest").at<std::int16_t>(0, 0) == kIgnore);
  CHECK_FALSE(after.geometry.invertible);
  std::set<std::int64_t> ids;
  for (const auto& segment : after.segments) {
    ids.insert(segment.id);
    const cv::Mat its = after.segment_ids == segment.id;
    CHECK(cv::countNonZero(its) > 0);
    CHECK(cv::countNonZero((after.labels != segment.category) & its) == 0);
  }
  CHECK(ids.size() == 16);
  for (const auto& instance : after.instances) {
    CHECK(ids.count(instance.id) == 1);
    const cv::Mat its = after.segment_ids == static_cast<double>(instance.id);
    CHECK(instance.box == sectile::Mask(cv::Mat(its / 255)).box());
    if (!instance.mask.empty()) CHECK(cv::norm(instance.mask.bitmap() * 255, its, cv::NORM_INF) == 0);
  }
  // The sample's own part is where its geometry says: the four are equally large, and the first is its own.
  CHECK(sectile::test::source(after, 30 - 23, 20 - 17) == cv::Point(0, 0));
}

TEST_CASE("images of a mosaic cover their cells, are contained in them, or keep their size") {
  const auto count = [](const char* fit, cv::Size size) {
    const auto tile = mosaic_tile(9, size);
    const auto transform = mosaic_of(
        {{"target_size", {20, 40}}, {"cell_shape", {20, 40}}, {"center_range", {0.5, 0.5}}, {"fit_mode", fit}});
    const auto after = mosaic_from(*transform, tile, {tile, tile, tile});
    CHECK(after.image.size() == cv::Size(40, 20));
    CHECK(cv::countNonZero(after.labels == 1) == cv::countNonZero(after.image));
    return cv::countNonZero(after.image);
  };
  CHECK(count("cover", {10, 10}) == 800);
  CHECK(count("contain", {10, 10}) == 800);  // 20 x 20 of which 10 x 20 are seen
  CHECK(count("contain", {5, 20}) == 4 * 5 * 10);
  CHECK(count("none", {5, 4}) == 4 * 5 * 4);
  CHECK(count("none", {300, 300}) == 800);
  CHECK(count("contain", {1, 1}) == 800);
}

TEST_CASE("a mosaic's sample has the largest part, and its center is inside its range") {
  const auto transform = mosaic_of({{"target_size", {100, 100}}, {"cell_shape", {100, 100}}, {"fit_mode", "none"}});
  const auto tile = mosaic_tile(9, {200, 200}), own = mosaic_tile(50, {200, 200});
  int least = 100, most = 0;
  std::set<std::pair<bool, bool>> corners;
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    const auto after = mosaic_from(*transform, own, {tile, tile, tile}, seed);
    const auto box = cv::boundingRect(after.image == 50);
    CHECK(box.area() == cv::countNonZero(after.image == 50));
    CHECK(box.area() >= 2500);
    corners.insert({box.x > 0, box.y > 0});
    const int x = box.x > 0 ? box.x : box.width, y = box.y > 0 ? box.y : box.height;
    least = std::min({least, x, y}), most = std::max({most, x, y});
  }
  CHECK(corners.size() == 4);
  CHECK(least >= 29);  // 0.3 to 0.7 by default
  CHECK(least <= 33);
  CHECK(most <= 70);
  CHECK(most >= 67);
}

TEST_CASE("a mosaic of larger cells may show fewer images, and asks for no others") {
  const auto transform = mosaic_of({{"target_size", {10, 10}}, {"cell_shape", {40, 40}}, {"center_range", {0, 0}}});
  const auto after = mosaic_from(*transform, mosaic_tile(50), {});
  CHECK(cv::countNonZero(after.image == 50) == 100);
}

TEST_CASE("parts of a mosaic that have no labels or targets are ignored there") {
  auto bare = mosaic_tile(9);
  bare.labels.release();
  auto sample = mosaic_tile(5);
  sample.targets["distance"] = cv::Mat(6, 8, CV_32F, cv::Scalar(2));
  const auto transform = mosaic_of({{"target_size", {20, 20}}, {"cell_shape", {20, 20}}, {"center_range", {0.5, 0.5}}});
  const auto after = mosaic_from(*transform, sample, {bare, bare, bare});
  CHECK(cv::countNonZero(after.labels == kIgnore) == 300);
  CHECK(cv::countNonZero(after.labels == 1) == 100);
  CHECK(cv::countNonZero(after.targets.at("distance") > 1) == 100);
  CHECK(cv::countNonZero(after.targets.at("distance") == 0) == 300);
  const auto other_way = mosaic_from(*transform, bare, {sample, bare, bare});
  CHECK(cv::countNonZero(other_way.labels == 1) == 100);
  CHECK(cv::countNonZero(other_way.labels == kIgnore) == 300);
  CHECK(mosaic_from(*transform, bare, {bare, bare, bare}).labels.empty());
}

TEST_CASE("mosaic takes all types and numbers of channels, and fills gaps with a class if it is told to") {
  for (const int type : {CV_8UC1, CV_16UC3, CV_16SC1, CV_32FC4, CV_8UC(7)}) {
    CAPTURE(type);
    Sample sample;
    sample.image = cv::Mat(4, 4, type);
    sample.image.setTo(100);
    sample.labels = cv::Mat(4, 4, CV_16S, cv::Scalar(0));
    const auto transform = mosaic_of({{"target_size", {20, 20}},
                                      {"cell_shape", {20, 20}},
                                      {"center_range", {0.5, 0.5}},
                                      {"fit_mode", "none"},
                                      {"fill", 7},
                                      {"label_fill", "1"}},
                                     sectile::test::context(2));
    const auto after = mosaic_from(*transform, sample, {sample, sample, sample});
    CHECK(after.image.type() == type);
    CHECK(cv::countNonZero(after.labels == 1) == 400 - 64);
    cv::Mat first;
    cv::extractChannel(after.image, first, 0);
    CHECK(cv::countNonZero(first == 100) == 64);
    CHECK(cv::countNonZero(first == 7) == 400 - 64);
  }
}

TEST_CASE("mosaic interpolates images as it is told") {
  Sample sample;
  sample.image = (cv::Mat_<std::uint8_t>(1, 2) << 0, 200);
  const auto row = [&](const char* interpolation) {
    const auto transform = mosaic_of(
        {{"target_size", {2, 8}}, {"cell_shape", {4, 8}}, {"center_range", {0, 0}}, {"interpolation", interpolation}});
    const auto image = mosaic_from(*transform, sample, {}).image;
    return std::set<int>(image.ptr(0), image.ptr(0) + 8);
  };
  CHECK(row("nearest") == std::set<int>{0, 200});
  CHECK(row("linear") == std::set<int>{0, 25, 75, 125, 175, 200});
  CHECK(row("cubic") != row("linear"));
  CHECK(row("area") == row("linear"));  // as it grows
}

TEST_CASE("mosaic changes nothing with the probability 0, and is applied to half of all samples by default") {
  const auto before = mosaic_tile(3);
  const auto unchanged = mosaic_from(*mosaic_of({{"probability", 0}}), before, {});
  CHECK(unchanged.image.data == before.image.data);
  CHECK(unchanged.labels.data == before.labels.data);
  const auto usual =
      make<Transform>(R"({"type": "mosaic", "target_size": [10, 10], "cell_shape": [10, 10], "fit_mode": "none"})");
  int applied = 0;
  for (std::uint64_t seed = 0; seed < 600; ++seed)
    applied += mosaic_from(*usual, before, {before, before, before}, seed).image.rows == 10;
  CHECK(std::abs(applied - 300) < 60);
}

TEST_CASE("mosaic says what is wrong with its options and samples") {
  const auto refused = [](const nlohmann::json& changes, const char* message) {
    CHECK_THROWS_WITH_AS(mosaic_of(changes), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"target_size", {0, 5}}}, "/part/target_size/0: 0 is too small");
  refused({{"cell_shape", {512, 255}}}, "/part/cell_shape: the width is less than half");
  refused({{"cell_shape", {255, 512}}}, "/part/cell_shape: the height is less than half");
  refused({{"center_range", {0.7, 0.3}}}, "/part/center_range: the minimum is greater than the maximum");
  refused({{"center_range", {0.7, 1.3}}}, "1.3 is too large");
  refused({{"fit_mode", "stretch"}}, "/part/fit_mode");
  refused({{"interpolation", "best"}}, "/part/interpolation");
  refused({{"fill", nlohmann::json::array()}}, "/part/fill: must not be empty");
  refused({{"probability", -1}}, "/part/probability: -1 is too small");
  CHECK_THROWS_WITH_AS(mosaic_of({{"label_fill", "9"}}, sectile::test::context(2)),
                       doctest::Contains("/part/label_fill: "), sectile::SpecError);
  Sample volume;
  volume.id = "volume";
  const int sizes[] = {2, 3, 4};
  volume.image = cv::Mat(3, sizes, CV_8U, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(mosaic_from(*mosaic_of({}), volume, {}),
                       doctest::Contains("volume: is a volume; mosaic expects images"), sectile::DataError);
  CHECK_THROWS_AS(mosaic_from(*mosaic_of({{"probability", 0}}), volume, {}), sectile::DataError);
  Sample wide = mosaic_tile(2);
  wide.image.convertTo(wide.image, CV_16U);
  CHECK_THROWS_WITH_AS(mosaic_from(*mosaic_of({}), mosaic_tile(1), {wide, wide, wide}),
                       doctest::Contains("tile 1: mosaic mixes it with tile 2, which has an image of CV_16UC1"),
                       sectile::DataError);
}

TEST_CASE("a mosaic lists the segments that it shows, and no others") {
  const auto transform =
      mosaic_of({{"target_size", {10, 10}}, {"cell_shape", {17, 23}}, {"center_range", {0, 1}}, {"fit_mode", "none"}});
  int hidden = 0;
  for (std::uint64_t seed = 0; seed < 40; ++seed) {
    const auto after = mosaic_from(*transform, annotated(), {annotated(), annotated(), annotated()}, seed);
    std::set<int> shown(after.segment_ids.begin<int>(), after.segment_ids.end<int>());
    shown.erase(0);
    std::set<int> listed;
    for (const auto& segment : after.segments) listed.insert(segment.id);
    CHECK(listed == shown);
    hidden += shown.size() < 4;
  }
  CHECK(hidden > 0);
}
