#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("the Hausdorff loss equals MONAI's, in 200 cases") { compare_with_random_cases("hausdorff"); }

TEST_CASE("the Hausdorff loss of a row by hand, beside an ignored pixel") {
  const auto loss = make<Loss>(R"({"type": "hausdorff", "include": ["1"]})", context(2));
  const auto labels = at::tensor({0, 0, 1, 1, kIgnore, 0}, at::kLong).view({1, 1, 6});
  // Probabilities of class 1: 1/4, 3/4, 3/4, 3/4, 3/4, 3/4; distances of the prediction 1, 1, 2, 3, -, 5 and of the
  // truth 2, 1, 1, 2, -, 2.
  auto logits = at::zeros({1, 2, 1, 6}, at::kDouble);
  logits.select(1, 1).fill_(std::log(3));
  logits[0][1][0][0] = -std::log(3);
  const auto value = evaluate(*loss, logits, labels).value;
  const double wrong = 9. / 16, right = 1. / 16;
  CHECK(value == doctest::Approx(
                     (right * (1 + 4) + wrong * (1 + 1) + right * (4 + 1) + right * (9 + 4) + wrong * (25 + 4)) / 5));
}

TEST_CASE("the Hausdorff loss without its first class is that of the others") {
  const auto logits = at::randn({2, 3, 4, 5}, at::kDouble);
  const auto labels = at::randint(kIgnore, 3, {2, 4, 5}, at::kLong);
  const auto value = [&](const char* options) {
    return evaluate(*make<Loss>(options, context(3)), logits, labels).value;
  };
  const auto others = value(R"({"type": "hausdorff", "include_background": false})");
  CHECK(others == value(R"({"type": "hausdorff", "include": ["2", "1"]})"));
  CHECK(others != value(R"({"type": "hausdorff"})"));
}

TEST_CASE("the Hausdorff loss is 0, with a gradient, without borders and where nothing counts") {
  const auto loss = make<Loss>(R"({"type": "hausdorff"})", context(2));
  CHECK(loss->reads_values());
  auto logits = at::randn({2, 2, 4, 4});
  logits.select(1, 0) += 20;  // predicts class 0 everywhere
  for (const int label : {0, 1, int{kIgnore}}) {
    const auto [value, gradient] = evaluate(*loss, logits, at::full({2, 4, 4}, label, at::kLong));
    CHECK(value == 0);
    CHECK(gradient.eq(0).all().item<bool>());
  }
}

TEST_CASE("the Hausdorff loss says which options it takes") {
  const auto refused = [](const char* options, const char* message, bool overlapping = false) {
    CHECK_THROWS_WITH_AS(make<Loss>(options, context(2, 3, overlapping)), doctest::Contains(message), SpecError);
  };
  refused(R"({"type": "hausdorff", "alpha": 0})", "/part/alpha");
  refused(R"({"type": "hausdorff", "alpha": 5})", "/part/alpha");
  refused(R"({"type": "hausdorff", "activation": "softmax"})", "the classes overlap", true);
  refused(R"({"type": "hausdorff", "include": ["road"]})", "names the class \"road\"");
  refused(R"({"type": "hausdorff", "include": ["0"], "include_background": false})", "/part/include_background");
}
