#include <array>

#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Draw;
using sectile::Random;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::make;

namespace {

nlohmann::json one_of_three() {  // to the size 30 x 30, 31 x 31 or 32 x 32
  nlohmann::json spec = {{"type", "one_of"}, {"probability", 1}};
  for (const int size : {30, 31, 32}) spec["transforms"].push_back({{"type", "pad"}, {"size", {size, size}}});
  return spec;
}

// How often nothing was applied, and each of the three.
std::array<int, 4> one_of_choices(const nlohmann::json& spec, std::uint64_t draws) {
  const auto transform = make<Transform>(spec.dump());
  std::array<int, 4> times{};
  for (std::uint64_t seed = 0; seed < draws; ++seed) {
    const int rows = applied(*transform, annotated(), seed).image.rows;
    ++times.at(static_cast<std::size_t>(rows == 17 ? 0 : rows - 29));
  }
  return times;
}

}  // namespace

TEST_CASE("one_of applies exactly one of its transforms, all equally often") {
  const auto times = one_of_choices(one_of_three(), 3000);
  CHECK(times[0] == 0);
  for (std::size_t i = 1; i < 4; ++i) CHECK(std::abs(times[i] - 1000) < 120);
}

TEST_CASE("one_of chooses by weights, which need not sum up to 1, and never what has the weight 0") {
  auto spec = one_of_three();
  spec["weights"] = {5, 0, 15};
  const auto times = one_of_choices(spec, 2000);
  CHECK(times[0] == 0);
  CHECK(std::abs(times[1] - 500) < 90);
  CHECK(times[2] == 0);
  CHECK(std::abs(times[3] - 1500) < 90);
  spec["weights"] = {0, 0.1, 0};
  CHECK(one_of_choices(spec, 50) == std::array<int, 4>{0, 0, 50, 0});
}

TEST_CASE("one_of is applied as often as its probability says: in half of all cases by default, never with 0") {
  auto spec = one_of_three();
  spec["probability"] = 0.25;
  CHECK(std::abs(one_of_choices(spec, 2000)[0] - 1500) < 90);
  spec.erase("probability");
  CHECK(std::abs(one_of_choices(spec, 2000)[0] - 1000) < 100);
  spec["probability"] = 0;
  const auto before = annotated();
  const auto after = applied(*make<Transform>(spec.dump()), before);
  CHECK(after.image.data == before.image.data);
}

TEST_CASE("the transform that one_of chooses keeps its own probability, with numbers of its own") {
  const auto transform = make<Transform>(R"({"type": "one_of", "transforms": [
      {"type": "horizontal_flip", "probability": 0.5}, {"type": "vertical_flip", "probability": 0.5}]})");
  int horizontal = 0, vertical = 0;
  for (std::uint64_t seed = 0; seed < 4000; ++seed) {
    const auto matrix = applied(*transform, annotated(), seed).geometry.to_original;
    horizontal += matrix(0, 0) < 0, vertical += matrix(1, 1) < 0;
  }
  CHECK(std::abs(horizontal - 500) < 90);  // 0.5 * 0.5 * 0.5
  CHECK(std::abs(vertical - 500) < 90);
}

TEST_CASE("transforms inside one_of can mix other samples in") {
  const auto transform = make<Transform>(
      R"({"type": "one_of", "probability": 1, "transforms": [{"type": "mixup", "probability": 1, "alpha": 1000}]})");
  Sample other;
  other.image = cv::Mat(8, 8, CV_8U, cv::Scalar(200));
  Sample sample;
  sample.image = cv::Mat(8, 8, CV_8U, cv::Scalar(100));
  Draw draw(Random{1}, [&](Random&) { return other; });
  transform->apply(sample, draw);
  CHECK(std::abs(sample.image.at<std::uint8_t>(0, 0) - 150) < 20);
}

TEST_CASE("one_of says what is wrong with its options") {
  const auto refused = [](const nlohmann::json& changes, const char* message) {
    auto spec = one_of_three();
    spec.update(changes);
    CHECK_THROWS_WITH_AS(make<Transform>(spec.dump()), doctest::Contains(message), sectile::SpecError);
  };
  refused({{"weights", {1, 2}}}, "/part/weights: has 2 numbers; expected 3, one per transform");
  refused({{"weights", {0, 0, 0}}}, "/part/weights: are all 0");
  refused({{"weights", {1, -1, 1}}}, "/part/weights/1: -1 is too small");
  refused({{"transforms", nlohmann::json::array()}}, "/part/transforms: must not be empty");
  refused({{"probability", 1.5}}, "/part/probability: 1.5 is too large");
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "one_of"})"), doctest::Contains("option \"transforms\" is missing"),
                       sectile::SpecError);
}
