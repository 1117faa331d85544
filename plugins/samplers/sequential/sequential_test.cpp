#include <sectile/sampler.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

TEST_CASE("sequential keeps the data's order, and a shorter epoch goes on where the one before ended") {
  const auto sampler = test::make<Sampler>(R"({"type": "sequential"})");
  using Indexes = std::vector<std::size_t>;
  CHECK(sampler->draw({0, 3, 3}, Random{1}) == Indexes{0, 1, 2});
  CHECK(sampler->draw({5, 3, 3}, Random{1}) == Indexes{0, 1, 2});
  CHECK(sampler->draw({1, 2, 3}, Random{1}) == Indexes{2, 0});
}
