#include <algorithm>

#include <sectile/sampler.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;

namespace {

std::vector<int> times(const std::vector<std::size_t>& indexes, std::size_t available) {
  std::vector<int> counts(available);
  for (const auto index : indexes) ++counts.at(index);
  return counts;
}

}  // namespace

TEST_CASE("shuffle sees every sample once, in another order for another key, and the same for the same") {
  const auto sampler = test::make<Sampler>(R"({"type": "shuffle"})");
  CHECK(sampler->samples_per_epoch(20) == 20);
  const auto first = sampler->draw({0, 20, 20}, Random{1, 0}), again = sampler->draw({0, 20, 20}, Random{1, 0});
  const auto second = sampler->draw({1, 20, 20}, Random{1, 1});
  CHECK(times(first, 20) == std::vector<int>(20, 1));
  CHECK(times(second, 20) == std::vector<int>(20, 1));
  CHECK(first == again);
  CHECK(first != second);
}

TEST_CASE("shuffle fills a longer epoch with whole rounds, and a shorter one with samples that differ") {
  const auto sampler = test::make<Sampler>(R"({"type": "shuffle"})");
  const auto longer = sampler->draw({0, 7, 3}, Random{1});
  REQUIRE(longer.size() == 7);
  CHECK(times({longer.begin(), longer.begin() + 6}, 3) == std::vector<int>(3, 2));
  const auto rounds = sampler->draw({0, 40, 20}, Random{1});  // each in an order of its own
  CHECK(std::vector(rounds.begin(), rounds.begin() + 20) != std::vector(rounds.begin() + 20, rounds.end()));
  const auto shorter = times(sampler->draw({0, 4, 10}, Random{1}), 10);
  CHECK(*std::max_element(shorter.begin(), shorter.end()) == 1);
}
