#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("cross entropy of the largest k percent equals nnU-Net's formula, in 200 cases") {
  compare_with_random_cases("topk_cross_entropy");
}

TEST_CASE("cross entropy of the largest k percent is finite for extreme logits") {
  const auto loss = make<Loss>(R"({"type": "topk_cross_entropy", "k": 60, "label_smoothing": 0.1})", context(3));
  const auto logits = at::tensor({1e4, -1e4, 0., -1e4, 1e4, 1e4}, at::kFloat).view({1, 3, 1, 2});
  const auto found = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
  CHECK(std::isfinite(found.value));
  CHECK(found.gradient.isfinite().all().item<bool>());
}

TEST_CASE("k of the largest pixels is above 0, up to 100") {
  const auto refuses = [](const char* json, const char* message) {
    CAPTURE(json);
    CHECK_THROWS_WITH_AS(make<Loss>(json, context(3)), doctest::Contains(message), SpecError);
  };
  refuses(R"({"type": "topk_cross_entropy", "k": 0})", "k: is 0; expected a percentage above 0, up to 100");
  refuses(R"({"type": "topk_cross_entropy", "k": 101})", "/part/k");
  refuses(R"({"type": "topk_cross_entropy", "k": -1})", "/part/k");
  refuses(R"({"type": "topk_cross_entropy", "label_smoothing": 2})", "/part/label_smoothing");
  refuses(R"({"type": "topk_cross_entropy", "class_weights": [1]})", "has 1 value, and the dataset has 3 classes");
  refuses(R"({"type": "topk_cross_entropy", "class_weights": [0, 0, 0]})", "/part/class_weights: are all 0");
}
