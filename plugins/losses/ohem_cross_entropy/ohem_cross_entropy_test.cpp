#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("cross entropy of hard pixels equals mmsegmentation's OhemCrossEntropy, in 200 cases") {
  compare_with_random_cases("ohem_cross_entropy");
}

TEST_CASE("a single pixel that is certainly right counts as a hard one: mmsegmentation gives NaN") {
  const auto loss = make<Loss>(R"({"type": "ohem_cross_entropy"})", context(2));
  const auto found = evaluate(*loss, at::tensor({2., -2.}).view({1, 2, 1, 1}), at::zeros({1, 1, 1}, at::kLong));
  CHECK(found.value == doctest::Approx(std::log1p(std::exp(-4))));
  CHECK(found.gradient.norm().item<double>() > 0);
}

TEST_CASE("cross entropy of hard pixels is finite for extreme logits and for weights of 0") {
  for (const char* json : {R"({"type": "ohem_cross_entropy", "min_kept": 1})",
                           R"({"type": "ohem_cross_entropy", "class_weights": [0, 0, 1]})"}) {
    CAPTURE(json);
    const auto loss = make<Loss>(json, context(3));
    const auto logits = at::tensor({1e4, -1e4, 0., -1e4, 1e4, 1e4}, at::kFloat).view({1, 3, 1, 2});
    const auto found = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
    CHECK(std::isfinite(found.value));
    CHECK(found.gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("cross entropy of hard pixels refuses wrong options") {
  for (const char* option : {R"("threshold": 1.5)", R"("threshold": -1)", R"("min_kept": 0)", R"("class_weights": [1])",
                             R"("class_weights": [1, -1])", R"("class_weights": [0, 0])"}) {
    CAPTURE(option);
    CHECK_THROWS_AS(
        make<Loss>(std::string(R"({"type": "ohem_cross_entropy", )").append(option).append("}"), context(2)),
        SpecError);
  }
}
