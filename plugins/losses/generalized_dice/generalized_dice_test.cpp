#include <sectile/roles.h>

#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("generalized Dice equals MONAI's, in 200 cases") { compare_with_random_cases("generalized_dice"); }

TEST_CASE("generalized Dice of classes of 3 and 1 pixels by hand") {
  const auto labels = at::tensor({0, 0, 0, 1}, at::kLong).view({1, 2, 2});
  const auto logits = at::tensor({3., 1., 2., 1., 1., 3., 2., 3.}, at::kDouble).log().view({1, 2, 2, 2});
  // Probabilities of class 0 are 3/4, 1/4, 1/2, 1/4: overlaps 3/2 and 3/4, predicted 7/4 and 9/4, weights 1/9 and 1.
  const auto value =
      evaluate(*make<Loss>(R"({"type": "generalized_dice", "smooth": 1e-12})", context(2)), logits, labels).value;
  CHECK(value == doctest::Approx(1 - 2 * (1.5 / 9 + 0.75) / ((1.75 + 3) / 9 + 2.25 + 1)).epsilon(1e-9));
}

TEST_CASE("generalized Dice without its first class is that of the others") {
  const auto logits = at::randn({2, 3, 4, 5}, at::kDouble);
  const auto labels = at::randint(kIgnore, 3, {2, 4, 5}, at::kLong);
  const auto value = [&](const char* options) {
    return evaluate(*make<Loss>(options, context(3)), logits, labels).value;
  };
  const auto all = value(R"({"type": "generalized_dice"})");
  const auto others = value(R"({"type": "generalized_dice", "include_background": false})");
  CHECK(others == value(R"({"type": "generalized_dice", "include": ["1", "2"]})"));
  CHECK(others != all);
}

TEST_CASE("generalized Dice counts what is predicted of absent classes, and is 0 where nothing counts") {
  const auto loss = make<Loss>(R"({"type": "generalized_dice"})", context(2));
  const auto labels = at::zeros({1, 3, 3}, at::kLong);
  auto right = at::zeros({1, 2, 3, 3});
  right.select(1, 0).fill_(1e4);
  CHECK(evaluate(*loss, right, labels).value == doctest::Approx(0));
  CHECK(evaluate(*loss, -right, labels).value == doctest::Approx(1).epsilon(1e-3));
  const auto [value, gradient] = evaluate(*loss, at::randn({2, 2, 3, 3}), at::full({2, 3, 3}, kIgnore, at::kLong));
  CHECK(value == 0);
  CHECK(gradient.eq(0).all().item<bool>());
}

TEST_CASE("generalized Dice over the batch sums areas over ranks") {
  const auto loss = make<Loss>(R"({"type": "generalized_dice", "over": "batch"})", context(3));
  CHECK(dynamic_cast<AcrossRanks*>(loss.get()) != nullptr);
}

TEST_CASE("generalized Dice says which options it takes") {
  const auto refused = [](const char* options, const char* message, bool overlapping = false, int classes = 2) {
    CHECK_THROWS_WITH_AS(make<Loss>(options, context(classes, 3, overlapping)), doctest::Contains(message), SpecError);
  };
  refused(R"({"type": "generalized_dice", "smooth": 0})", "/part/smooth");
  refused(R"({"type": "generalized_dice", "weight_type": "cubic"})", "square");
  refused(R"({"type": "generalized_dice", "over": "class"})", "sample");
  refused(R"({"type": "generalized_dice", "include": ["road"]})", "names the class \"road\"");
  refused(R"({"type": "generalized_dice", "include": ["0"], "include_background": false})", "/part/include_background");
  refused(R"({"type": "generalized_dice", "include_background": false})", "/part/include_background", false, 1);
  refused(R"({"type": "generalized_dice", "include_background": false})", "/part/include_background", true);
  refused(R"({"type": "generalized_dice", "activation": "softmax"})", "the classes overlap", true);
}
