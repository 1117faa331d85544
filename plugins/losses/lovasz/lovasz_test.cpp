#include "parity/losses/random_cases.h"
#include "parity/losses/small_batch.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("Lovász-Softmax and the Lovász hinge equal the paper's definition, in 200 cases") {
  compare_with_random_cases("lovasz");
}

// The values are segmentation_models_pytorch 0.6.0's, the formula's over sorted errors, and those of summing the
// Jaccard loss over level sets.
TEST_CASE("by default, Lovász-Softmax averages over the classes in the labels: absent ones pull predictions down") {
  const auto logits = small_batch_logits(), labels = small_batch_labels();
  const auto value = [&](const char* json, const at::Tensor& of) {
    return evaluate(*make<Loss>(json, context(3)), logits, of).value;
  };
  CHECK(value(R"({"type": "lovasz"})", labels) == doctest::Approx(0.7044850948342649).epsilon(1e-12));
  const auto without = labels.clamp_max(1);
  CHECK(value(R"({"type": "lovasz"})", without) == doctest::Approx(0.7014933084149997).epsilon(1e-12));
  CHECK(value(R"({"type": "lovasz", "classes": "all"})", without) ==
        doctest::Approx(0.7295792553919425).epsilon(1e-12));
}

TEST_CASE("Lovász losses of extreme logits are finite and so are their gradients") {
  const auto logits = at::tensor({1e4, -1e4, 0., -1e4, 1e4, 1e4}, at::kFloat).view({1, 3, 1, 2});
  for (const char* mode : {"softmax", "hinge"}) {
    CAPTURE(mode);
    const auto loss = make<Loss>(std::string(R"({"type": "lovasz", "mode": ")").append(mode).append("\"}"), context(3));
    const auto found = evaluate(*loss, logits, at::tensor({1, 0}, at::kLong).view({1, 1, 2}));
    CHECK(std::isfinite(found.value));
    CHECK(found.gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("with soft labels, the Lovász hinge takes a class as present from 0.5 on") {
  const auto loss = make<Loss>(R"({"type": "lovasz"})", context(1, 3, true));
  const auto logits = at::tensor({0.3, -0.2, 2., 0.7}, at::kDouble).view({1, 1, 2, 2});
  const auto soft = at::tensor({0.5, 0.4, 1., -1.}, at::kDouble).view({1, 1, 2, 2});
  const auto hard = at::tensor({1., 0., 1., -1.}, at::kDouble).view({1, 1, 2, 2});
  CHECK(evaluate(*loss, logits, soft).value == evaluate(*loss, logits, hard).value);
}

TEST_CASE("Lovász-Softmax over overlapping classes and unknown choices are refused") {
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "lovasz", "mode": "softmax"})", context(2, 3, true)),
                       doctest::Contains("/part/mode: is softmax, and the classes overlap: use hinge or auto"),
                       SpecError);
  CHECK_THROWS_AS(make<Loss>(R"({"type": "lovasz", "mode": "sigmoid"})", context(2)), SpecError);
  CHECK_THROWS_AS(make<Loss>(R"({"type": "lovasz", "classes": "some"})", context(2)), SpecError);
}
