#include <sectile/roles.h>

#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("the boundary loss equals its formula with SciPy's distances, in 200 cases") {
  compare_with_random_cases("boundary");
}

TEST_CASE("the boundary loss of a row by hand: d outside, -(d - 1) inside, and nothing at an ignored pixel") {
  const auto loss = make<Loss>(R"({"type": "boundary", "include": ["1"]})", context(2));
  const auto labels = at::tensor({0, 0, 1, 1, 1, kIgnore, 0}, at::kLong).view({1, 1, 7});
  const auto [value, gradient] = evaluate(*loss, at::zeros({1, 2, 1, 7}, at::kDouble), labels);
  // The ignored pixel is no border: the fifth pixel and the last are 2 apart.
  CHECK(value == doctest::Approx(0.5 * (2 + 1 + 0 - 1 - 1 + 2) / 6));
  const auto expected = at::tensor({2., 1., 0., -1., -1., 0., 2.}, at::kDouble) / 6 / 4;
  CHECK(gradient.select(1, 1).flatten().allclose(expected));
  CHECK(gradient.select(1, 0).flatten().allclose(-expected));
}

TEST_CASE("the boundary loss is 0, with a gradient, for classes without a border and where nothing counts") {
  const auto loss = make<Loss>(R"({"type": "boundary"})", context(3));
  CHECK(loss->reads_values());
  for (const int label : {0, 2, int{kIgnore}}) {
    const auto [value, gradient] = evaluate(*loss, at::randn({2, 3, 4, 4}), at::full({2, 4, 4}, label, at::kLong));
    CHECK(value == 0);
    CHECK(gradient.eq(0).all().item<bool>());
  }
}

TEST_CASE("the boundary loss says by how much its mean is divided") {
  const auto of = [](const char* options, bool overlapping) { return make<Loss>(options, context(3, 3, overlapping)); };
  const auto all = of(R"({"type": "boundary"})", false), one = of(R"({"type": "boundary", "include": ["1"]})", true),
             others = of(R"({"type": "boundary", "include_background": false})", false);
  const auto numbers = at::tensor({0, kIgnore, 2}, at::kLong).view({1, 1, 3});
  const auto per_class = at::tensor({1., -1., 1., 1., -1., 0., 1., 1., 1.}).view({1, 3, 1, 3});
  CHECK(dynamic_cast<const MeanLoss&>(*all).counted(numbers) == 6);
  CHECK(dynamic_cast<const MeanLoss&>(*others).counted(numbers) == 4);
  CHECK(dynamic_cast<const MeanLoss&>(*one).counted(per_class) == 2);
}

TEST_CASE("the boundary loss says which options it takes") {
  const auto refused = [](const char* options, const char* message, bool overlapping = false) {
    CHECK_THROWS_WITH_AS(make<Loss>(options, context(2, 3, overlapping)), doctest::Contains(message), SpecError);
  };
  refused(R"({"type": "boundary", "activation": "softmax"})", "the classes overlap", true);
  refused(R"({"type": "boundary", "activation": "tanh"})", "softmax");
  refused(R"({"type": "boundary", "include": ["road"]})", "names the class \"road\"");
  refused(R"({"type": "boundary", "include": ["0"], "include_background": false})", "/part/include_background");
}
