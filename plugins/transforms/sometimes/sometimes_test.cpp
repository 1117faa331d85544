#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"
#include "support/transforms.h"

using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::make;

namespace {

// Flips along both axes, if at all.
std::shared_ptr<Transform> sometimes_flipped(double probability) {
  return make<Transform>(R"({"type": "sometimes", "transforms": [{"type": "horizontal_flip", "probability": 1},
                             {"type": "vertical_flip", "probability": 1}], "probability": )" +
                         std::to_string(probability) + "}");
}

}  // namespace

TEST_CASE("sometimes applies all of its transforms or none, as often as its probability says") {
  const auto transform = sometimes_flipped(0.25);
  int all = 0, none = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto matrix = applied(*transform, annotated(), seed).geometry.to_original;
    all += matrix(0, 0) == -1 && matrix(1, 1) == -1;
    none += matrix == cv::Matx44d::eye();
  }
  CHECK(all + none == 2000);
  CHECK(std::abs(all - 500) < 80);
  const auto usual =
      make<Transform>(R"({"type": "sometimes", "transforms": [{"type": "horizontal_flip", "probability": 1}]})");
  int flipped = 0;
  for (std::uint64_t seed = 0; seed < 2000; ++seed)
    flipped += applied(*usual, annotated(), seed).geometry.to_original(0, 0) == -1;
  CHECK(std::abs(flipped - 1000) < 100);
}

TEST_CASE("sometimes changes nothing with the probability 0, and always with 1") {
  const auto before = annotated();
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto after = applied(*sometimes_flipped(0), before, seed);
    CHECK(after.image.data == before.image.data);
    CHECK(after.labels.data == before.labels.data);
    CHECK(applied(*sometimes_flipped(1), before, seed).geometry.to_original(1, 1) == -1);
  }
}

TEST_CASE("samples that are mixed in inside sometimes have been through the transforms before") {
  sectile::test::check_others_go_through("sometimes", nlohmann::json::object());
}

TEST_CASE("sometimes says what is wrong with its options") {
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "sometimes"})"),
                       doctest::Contains("option \"transforms\" is missing"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "sometimes", "transforms": []})"),
                       doctest::Contains("/part/transforms: must not be empty"), sectile::SpecError);
  CHECK_THROWS_WITH_AS(
      make<Transform>(R"({"type": "sometimes", "transforms": [{"type": "rotate90"}], "probability": -0.1})"),
      doctest::Contains("/part/probability: -0.1 is too small"), sectile::SpecError);
}

TEST_CASE("sometimes applies its transforms in order") {
  const auto transform = make<Transform>(R"({"type": "sometimes", "probability": 1, "transforms": [
      {"type": "pad", "size": [20, 30], "fill": 9}, {"type": "horizontal_flip", "probability": 1}]})");
  const auto after = applied(*transform, annotated());
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(9, 9, 9));  // padded at the right, then mirrored
  CHECK(sectile::test::source(after, 29, 0) == cv::Point(0, 0));
}
