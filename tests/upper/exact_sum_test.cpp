// Sums that do not depend on the order of their terms.
#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <sectile/exact_sum.h>

#include "support/test.h"

using sectile::ExactSum;

TEST_CASE("a sum is the same in any order and however it is split") {
  std::mt19937_64 random(1);
  std::vector<double> terms;
  for (int i = 0; i < 3000; ++i)
    terms.push_back(std::ldexp(std::uniform_real_distribution<>()(random), static_cast<int>(random() % 60) - 40));
  const auto sum_of = [&](int parts) {
    std::vector<ExactSum> sums(static_cast<std::size_t>(parts));
    for (std::size_t i = 0; i < terms.size(); ++i) sums[i % sums.size()].add(terms[i]);
    std::shuffle(sums.begin(), sums.end(), random);
    ExactSum all;
    for (const auto& one : sums) all.merge(one);
    return all;
  };
  const auto expected = sum_of(1);
  for (const int parts : {2, 3, 7}) {
    std::shuffle(terms.begin(), terms.end(), random);
    CHECK(sum_of(parts).numbers() == expected.numbers());
  }
  std::sort(terms.begin(), terms.end());
  long double exact = 0;
  for (const double term : terms) exact += term;
  CHECK(expected.sum() == doctest::Approx(static_cast<double>(exact)).epsilon(1e-15));
  CHECK(expected.finite() == 3000);
}

TEST_CASE("small and large terms are kept, fractions carry over") {
  ExactSum sum;
  sum.add(1e15 + 0.5);
  sum.add(0.75);
  sum.add(std::ldexp(1, -64));
  sum.add(0);
  CHECK(sum.numbers() == std::array<std::int64_t, 4>{1000000000000001, (std::int64_t{1} << 62) + 1, 4, 0});
  CHECK(sum.mean() == (1e15 + 1.25) / 4);
}

TEST_CASE("a sum without terms has no mean, and an infinite term is not lost") {
  ExactSum sum;
  CHECK(std::isnan(sum.mean()));
  CHECK(std::isnan(sum.finite_mean()));
  sum.add(3);
  sum.add(std::numeric_limits<double>::infinity());
  sum.add(std::numeric_limits<double>::quiet_NaN());
  CHECK(std::isinf(sum.mean()));
  CHECK(sum.finite_mean() == 3);
  CHECK(sum.infinite() == 2);
}

TEST_CASE("a sum that is too large stays at its largest, in any order") {
  ExactSum one, other;
  one.add(1.5e19);
  one.add(1.5e19);
  one.add(0.5);
  other.add(0.5);
  other.add(1.5e19);
  other.add(1.5e19);
  CHECK(one.numbers() == other.numbers());
  CHECK(one.sum() == doctest::Approx(18446744073709551616.));
}
