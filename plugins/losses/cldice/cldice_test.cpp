#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("clDice equals MONAI's, in 200 cases") { compare_with_random_cases("cldice"); }

TEST_CASE("clDice of a predicted line beside the true one by hand") {
  // Lines of 7 pixels one wide are their own center lines.
  const auto with = [](const char* options, std::int64_t row) {
    auto labels = at::zeros({1, 5, 7}, at::kLong), predicted = at::zeros({1, 5, 7}, at::kLong);
    labels.select(1, 1).fill_(1);
    predicted.select(1, row).fill_(1);
    const auto logits = (at::one_hot(predicted, 2).movedim(-1, 1).to(at::kDouble) - 0.5) * 2e4;
    return evaluate(*make<Loss>(options, context(2)), logits, labels).value;
  };
  const auto harmonic = [](double share) { return 1 - 2 * share * share / (2 * share + 1e-4); };
  CHECK(with(R"({"type": "cldice", "include": ["1"]})", 1) == doctest::Approx(harmonic(1)));
  CHECK(with(R"({"type": "cldice", "include": ["1"]})", 3) == doctest::Approx(harmonic(1. / 8)));
  CHECK(with(R"({"type": "cldice", "include": ["1"], "smooth": 0.5})", 3) == doctest::Approx(harmonic(0.5 / 7.5)));
  CHECK(with(R"({"type": "cldice", "include": ["1"], "alpha": 0})", 3) == doctest::Approx(1 - 1. / 15));
  CHECK(with(R"({"type": "cldice", "include_background": false, "alpha": 0.25})", 3) ==
        doctest::Approx(0.75 * (1 - 1. / 15) + 0.25 * harmonic(1. / 8)));
}

TEST_CASE("clDice is 0 of images without a pixel that counts, and finite for extreme logits") {
  const auto ignored = at::full({2, 4, 4}, kIgnore, at::kLong);
  for (const char* options : {R"({"type": "cldice"})", R"({"type": "cldice", "alpha": 0.5})"}) {
    const auto loss = make<Loss>(options, context(2));
    const auto [value, gradient] = evaluate(*loss, at::randn({2, 2, 4, 4}), ignored);
    CHECK(value == 0);
    CHECK(gradient.eq(0).all().item<bool>());
    const auto extreme =
        evaluate(*loss, at::randn({2, 2, 4, 4}).sign() * 1e4, at::randint(kIgnore, 2, {2, 4, 4}, at::kLong));
    CHECK(std::isfinite(extreme.value));
    CHECK(extreme.gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("clDice says which options it takes") {
  const auto refused = [](const char* options, const char* message, bool overlapping = false) {
    CHECK_THROWS_WITH_AS(make<Loss>(options, context(2, 3, overlapping)), doctest::Contains(message), SpecError);
  };
  refused(R"({"type": "cldice", "iterations": -1})", "/part/iterations");
  refused(R"({"type": "cldice", "iterations": 101})", "/part/iterations");
  refused(R"({"type": "cldice", "smooth": 0})", "/part/smooth");
  refused(R"({"type": "cldice", "alpha": 1.5})", "/part/alpha");
  refused(R"({"type": "cldice", "activation": "softmax"})", "the classes overlap", true);
  refused(R"({"type": "cldice", "include": ["road"]})", "names the class \"road\"");
  refused(R"({"type": "cldice", "include": ["0"], "include_background": false})", "/part/include_background");
}
