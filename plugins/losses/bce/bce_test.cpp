#include <sectile/roles.h>

#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("binary cross entropy equals PyTorch's over what counts, in 200 cases") { compare_with_random_cases("bce"); }

TEST_CASE("binary cross entropy of extreme logits is finite and so is its gradient") {
  const auto loss =
      make<Loss>(R"({"type": "bce", "label_smoothing": 0.1, "pos_weight": [3], "class_weights": [1, 2]})", context(2));
  const auto logits = at::tensor({1e4, -1e4, -1e4, 1e4}, at::kFloat).view({1, 2, 1, 2});
  const auto found = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
  CHECK(std::isfinite(found.value));
  CHECK(found.gradient.isfinite().all().item<bool>());
}

TEST_CASE("binary cross entropy counts pixels times classes, by their weights, for a mean over several batches") {
  const auto labels = at::tensor({0, 1, kIgnore}, at::kLong).view({1, 1, 3});
  const auto counted = [&](const char* json, const at::Tensor& of, bool overlapping) {
    const auto loss = make<Loss>(json, context(2, 3, overlapping));
    return dynamic_cast<const MeanLoss&>(*loss).counted(of);
  };
  CHECK(counted(R"({"type": "bce"})", labels, false) == 4);
  CHECK(counted(R"({"type": "bce", "class_weights": [1, 0.25]})", labels, false) == 2.5);
  const auto per_class = at::tensor({0., 1., -1., 1., -1., -1.}, at::kFloat).view({1, 2, 1, 3});
  CHECK(counted(R"({"type": "bce"})", per_class, true) == 3);
  CHECK(counted(R"({"type": "bce", "class_weights": [1, 0.25]})", per_class, true) == 2.25);
}

TEST_CASE("binary cross entropy refuses wrong options and says what it expected") {
  const auto refuses = [](const char* json, const char* message) {
    CAPTURE(json);
    CHECK_THROWS_WITH_AS(make<Loss>(json, context(3)), doctest::Contains(message), SpecError);
  };
  refuses(R"({"type": "bce", "pos_weight": [1, 2]})", "pos_weight: has 2 values, and the dataset has 3 classes");
  refuses(R"({"type": "bce", "pos_weight": [-1]})", "pos_weight");
  refuses(R"({"type": "bce", "class_weights": [1]})", "class_weights: has 1 value, and the dataset has 3 classes");
  refuses(R"({"type": "bce", "class_weights": [0, 0, 0]})", "/part/class_weights: are all 0");
  refuses(R"({"type": "bce", "label_smoothing": 1.5})", "label_smoothing");
}
