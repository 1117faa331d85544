#include "parity/loss_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("cross entropy equals torch.nn.functional.cross_entropy, weights, smoothing and ignored pixels included") {
  compare_with_reference("cross_entropy");
}

TEST_CASE("cross entropy of extreme logits is finite and so is its gradient") {
  const auto loss = make<Loss>(R"({"type": "cross_entropy", "label_smoothing": 0.1})", context(3));
  const auto logits = at::tensor({1e4, -1e4, 0., -1e4, 1e4, 1e4}, at::kFloat).view({1, 3, 1, 2});
  const auto [value, gradient] = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
  CHECK(std::isfinite(value));
  CHECK(gradient.isfinite().all().item<bool>());
}

TEST_CASE("class weights of another number than the classes are refused with both numbers") {
  try {
    make<Loss>(R"({"type": "cross_entropy", "class_weights": [1, 2]})", context(3));
    FAIL("was built");
  } catch (const SpecError& error) {
    const std::string message = error.what();
    CHECK(message.find("/part/class_weights: has 2 values, and the dataset has 3 classes") == 0);
  }
}

TEST_CASE("a class of weight 0 alone in a batch gives 0, not NaN") {
  const auto loss = make<Loss>(R"({"type": "cross_entropy", "class_weights": [0, 1]})", context(2));
  const auto [value, gradient] = evaluate(*loss, at::ones({1, 2, 2, 2}), at::zeros({1, 2, 2}, at::kLong));
  CHECK(value == 0);
  CHECK(gradient.eq(0).all().item<bool>());
}

TEST_CASE("cross entropy and Dice of coarse logits equal those of logits that were resized before") {
  const auto labels = at::randint(kIgnore, 4, {2, 24, 20}, at::kLong);
  const auto coarse = at::randn({2, 4, 6, 5}, at::kDouble);
  for (const char* json : {R"({"type": "cross_entropy", "label_smoothing": 0.1, "class_weights": [1, 2, 0.5, 3]})",
                           R"({"type": "dice"})", R"({"type": "dice", "over": "sample", "absent": "skip"})"}) {
    CAPTURE(json);
    const auto loss = make<Loss>(json, context(4));
    const auto found = evaluate(*loss, coarse, labels);
    auto leaf = coarse.clone().requires_grad_();
    const auto terms = (*loss)(with_logits(at::upsample_bilinear2d(leaf, {24, 20}, false)), with_labels(labels));
    terms.front().value.backward();
    CHECK(found.value == doctest::Approx(terms.front().value.item<double>()).epsilon(1e-10));
    CHECK((found.gradient - leaf.grad()).abs().max().item<double>() < 1e-10);
  }
}
