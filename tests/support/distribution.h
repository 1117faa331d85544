// Tests of what random transforms draw.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <vector>

#include "support/test.h"

namespace sectile::test {

// The test of Kolmogorov and Smirnov that numbers are uniformly distributed between two limits, as those that
// albumentations draws from a range are. It refuses one in 1000 of such samples. rounding: of the numbers.
inline void check_uniform(std::vector<double> drawn, double low, double high, double rounding = 1e-6) {
  REQUIRE(drawn.size() >= 100);
  std::sort(drawn.begin(), drawn.end());
  CHECK(drawn.front() >= low - rounding);
  CHECK(drawn.back() <= high + rounding);
  const auto count = static_cast<double>(drawn.size());
  double most = 0;
  for (std::size_t i = 0; i < drawn.size(); ++i) {
    const double below = (drawn[i] - low) / (high - low);
    most = std::max({most, below - static_cast<double>(i) / count, static_cast<double>(i + 1) / count - below});
  }
  CHECK(most <= 1.95 / std::sqrt(count) + rounding / (high - low));
}

}  // namespace sectile::test
