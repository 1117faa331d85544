#include <sectile/error.h>

#include "support/annotated.h"
#include "support/component.h"

using sectile::Draw;
using sectile::Random;
using sectile::Sample;
using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("sequence applies its transforms in order, with all annotation") {
  const auto before = annotated();
  const auto sequence = make<Transform>(R"({"type": "sequence", "transforms": [
      {"type": "pad", "size": [20, 30], "fill": 9}, {"type": "horizontal_flip", "probability": 1}]})");
  const auto after = applied(*sequence, before);
  const auto one_by_one = applied(*make<Transform>(R"({"type": "horizontal_flip", "probability": 1})"),
                                  applied(*make<Transform>(R"({"type": "pad", "size": [20, 30], "fill": 9})"), before));
  CHECK(cv::norm(after.image, one_by_one.image, cv::NORM_INF) == 0);
  CHECK(after.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(9, 9, 9));  // padded at the right, then mirrored
  check_moved_together(before, after);
}

TEST_CASE("sequence gives each of its transforms numbers of its own, the same for one key") {
  const auto twice = make<Transform>(R"({"type": "sequence", "transforms": [
      {"type": "random_crop", "size": [8, 14]}, {"type": "horizontal_flip"}, {"type": "vertical_flip"}]})");
  int flips[2][2] = {};
  for (std::uint64_t seed = 0; seed < 400; ++seed) {
    const auto one = applied(*twice, annotated(), seed), again = applied(*twice, annotated(), seed);
    CHECK(one.geometry.to_original == again.geometry.to_original);
    ++flips[one.geometry.to_original(0, 0) < 0][one.geometry.to_original(1, 1) < 0];
  }
  for (const auto& row : flips)
    for (const int times : row) CHECK(std::abs(times - 100) < 40);
}

// Both are padded to the same size before the one is mixed into the other: nothing has to be resized.
TEST_CASE("samples that are mixed in inside a sequence have been through the transforms before") {
  const auto sequence = make<Transform>(R"({"type": "sequence", "transforms": [
      {"type": "pad", "size": [40, 40], "fill": 200}, {"type": "cutmix", "probability": 1}]})");
  const auto plain = [](double value) {
    Sample sample;
    sample.image = cv::Mat(20, 30, CV_8U, cv::Scalar(value));
    return sample;
  };
  int mixed = 0;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    auto sample = plain(50);
    Draw draw(Random{seed}, [&](Random&) { return plain(10); });
    sequence->apply(sample, draw);
    REQUIRE(sample.image.size() == cv::Size(40, 40));
    CHECK(cv::countNonZero(sample.image == 200) == 40 * 40 - 20 * 30);
    mixed += cv::countNonZero(sample.image(cv::Rect(0, 0, 30, 20)) == 10) > 0;
  }
  CHECK(mixed > 10);
}

TEST_CASE("sequence says what is wrong with its transforms, and where") {
  const auto refused = [](const char* json, const char* message) {
    CHECK_THROWS_WITH_AS(make<Transform>(json), doctest::Contains(message), sectile::SpecError);
  };
  refused(R"({"type": "sequence"})", "option \"transforms\" is missing");
  refused(R"({"type": "sequence", "transforms": []})", "/part/transforms: must not be empty");
  refused(R"({"type": "sequence", "transforms": [{"type": "pad"}, {"type": "horizontal_flip", "probability": 2}]})",
          "/part/transforms/1/probability: 2 is too large");
  CHECK_THROWS_WITH_AS(make<Transform>(R"({"type": "sequence", "transforms": [{"type": "pad", "label_fill": "raod"}]})",
                                       sectile::test::context(2)),
                       doctest::Contains("/part/transforms/0/label_fill: "), sectile::SpecError);
}
