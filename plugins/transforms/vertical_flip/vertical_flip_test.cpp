#include "support/annotated.h"
#include "support/component.h"

using sectile::Transform;
using sectile::test::annotated;
using sectile::test::applied;
using sectile::test::check_moved_together;
using sectile::test::make;

TEST_CASE("vertical_flip exchanges top and bottom, with all annotation") {
  const auto flip = make<Transform>(R"({"type": "vertical_flip", "probability": 1})");
  const auto before = annotated();
  const auto after = applied(*flip, before);
  CHECK(after.labels.at<std::int16_t>(16 - 1, 2) == 1);
  check_moved_together(before, after);
}

TEST_CASE("vertical_flip happens as often as its probability says, in half of all cases by default") {
  const auto before = annotated();
  for (const auto& [json, expected] : {std::pair<const char*, int>(R"({"type": "vertical_flip"})", 500),
                                       {R"({"type": "vertical_flip", "probability": 0.25})", 250},
                                       {R"({"type": "vertical_flip", "probability": 0})", 0}}) {
    const auto flip = make<Transform>(json);
    int flipped = 0;
    for (std::uint64_t seed = 0; seed < 1000; ++seed) {
      const auto after = applied(*flip, before, seed);
      flipped += after.geometry.to_original(1, 1) == -1;
      if (after.geometry.to_original == cv::Matx44d::eye()) CHECK(after.image.data == before.image.data);
    }
    CHECK(std::abs(flipped - expected) <= 60);
    if (expected == 0) CHECK(flipped == 0);
  }
}
