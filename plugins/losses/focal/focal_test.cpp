#include "parity/loss_cases.h"
#include "parity/losses/random_cases.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("focal loss equals its formula, with softmax and sigmoid") { compare_with_reference("focal"); }

TEST_CASE("focal loss equals segmentation_models_pytorch's, torchvision's and MONAI's, in 200 cases") {
  compare_with_random_cases("focal");
}

TEST_CASE("focal loss of a pixel that is certainly right has a finite gradient for gamma below 1") {
  const auto logits = at::tensor({1e4, -1e4}, at::kFloat).view({1, 2, 1, 1});
  for (const char* activation : {"softmax", "sigmoid"}) {
    CAPTURE(activation);
    const auto loss =
        make<Loss>(std::string(R"({"type": "focal", "gamma": 0.5, "activation": ")") + activation + "\"}", context(2));
    const auto [value, gradient] = evaluate(*loss, logits, at::zeros({1, 1, 1}, at::kLong));
    CHECK(value == 0);
    CHECK(gradient.isfinite().all().item<bool>());
  }
}

TEST_CASE("focal loss refuses an alpha of another number than the classes with both numbers") {
  CHECK_THROWS_WITH_AS(make<Loss>(R"({"type": "focal", "alpha": [0.1, 0.2]})", context(3)),
                       doctest::Contains("/part/alpha: has 2 values, and the dataset has 3 classes"), SpecError);
}

TEST_CASE("focal loss over softmax refuses an alpha of 0 for all classes; with sigmoid, other pixels still count") {
  const auto made = [](const char* alpha, bool overlapping) {
    return make<Loss>(std::string(R"({"type": "focal", "alpha": )").append(alpha).append("}"),
                      context(3, 3, overlapping));
  };
  for (const char* alpha : {"[0]", "[0, 0, 0]"}) {
    CAPTURE(alpha);
    CHECK_THROWS_WITH_AS(made(alpha, false), doctest::Contains("/part/alpha: is 0 for all classes"), SpecError);
    CHECK_NOTHROW(made(alpha, true));
  }
}
