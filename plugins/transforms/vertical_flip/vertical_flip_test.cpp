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
