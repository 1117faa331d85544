#include <sectile/roles.h>

#include "parity/loss_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// One of two ranks that see the same batch.
class TwoEqualRanks final : public Ranks {
 public:
  int count() const override { return 2; }
  at::Tensor sum(const at::Tensor& value) const override { return 2 * value; }
};

}  // namespace

TEST_CASE("Dice equals its formula, absent classes and ignored pixels included") { compare_with_reference("dice"); }

TEST_CASE("Dice of a perfect prediction is 0, and of a wrong one without smoothing 1") {
  const auto loss = make<Loss>(R"({"type": "dice", "smooth": 0})", context(2));
  const auto labels = at::tensor({0, 1, 1, 0}, at::kLong).view({1, 2, 2});
  const auto right = (at::one_hot(labels, 2).movedim(-1, 1).to(at::kFloat) - 0.5) * 2e4;
  CHECK(evaluate(*loss, right, labels).value == 0);
  CHECK(evaluate(*loss, -right, labels).value == 1);
}

TEST_CASE("Dice of classes that are neither predicted nor true is 0 with a finite gradient") {
  const auto loss = make<Loss>(R"({"type": "dice", "smooth": 0})", context(3));
  const auto [value, gradient] = evaluate(*loss, at::randn({2, 3, 4, 4}), at::full({2, 4, 4}, kIgnore, at::kLong));
  CHECK(value == 0);
  CHECK(gradient.eq(0).all().item<bool>());
}

TEST_CASE("Dice over the batch sums areas over ranks, where smoothing then weighs half") {
  const auto logits = at::randn({2, 3, 4, 4});
  const auto labels = at::randint(0, 3, {2, 4, 4}, at::kLong);
  const auto across = make<Loss>(R"({"type": "dice", "smooth": 2})", context(3));
  auto* role = dynamic_cast<AcrossRanks*>(across.get());
  REQUIRE(role);
  role->use(std::make_shared<TwoEqualRanks>());
  const auto alone = make<Loss>(R"({"type": "dice", "smooth": 1})", context(3));
  CHECK(evaluate(*across, logits, labels).value == doctest::Approx(evaluate(*alone, logits, labels).value));
}

TEST_CASE("Dice refuses softmax for overlapping classes and an unknown class name, and says what there is") {
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "dice", "activation": "softmax"})", context(2, 3, true)),
                       doctest::Contains("/part/activation: is softmax, and the classes overlap"), SpecError);
  CHECK_THROWS_WITH_AS(
      make<Loss>(R"({"type": "dice", "include": ["road"]})", context(2)),
      doctest::Contains("/part/include/0: names the class \"road\", which the data does not have; it has: 0, 1"),
      SpecError);
}
