#include <ATen/ATen.h>

#include <sectile/loss.h>

#include "support/test.h"

#include "support/component.h"

using namespace sectile;
using namespace sectile::test;

namespace {

Outputs counted_proposals() {
  Outputs outputs;
  const auto zero = at::zeros({2});
  outputs.named = {{"rpn/objectness", zero},
                   {"rpn/labels", at::tensor({1, 0}, at::kLong)},
                   {"rpn/deltas", at::tensor({0.f, 1.f, 0.f, 0.f}).view({1, 4})},
                   {"rpn/targets", at::zeros({1, 4})},
                   {"box/logits", at::zeros({4, 3})},
                   {"box/labels", at::tensor({1, 0, 2, 0}, at::kLong)},
                   {"box/deltas", at::tensor({0.05f, 0.f, 0.f, 2.f, 0.f, 0.f, 0.f, 0.f}).view({2, 4})},
                   {"box/targets", at::zeros({2, 4})},
                   {"mask/logits", at::zeros({1, 2, 2})},
                   {"mask/targets", at::tensor({1.f, 0.f, 0.f, 1.f}).view({1, 2, 2})}};
  return outputs;
}

std::map<std::string, double> terms_of(const std::string& options, const Outputs& outputs) {
  std::map<std::string, double> terms;
  for (const auto& [name, value] : (*make<Loss>(R"({"type": "mask_rcnn")" + options + "}", context(2)))(outputs, {}))
    terms[name] = value.item<double>();
  return terms;
}

}  // namespace

TEST_CASE("the losses of Mask R-CNN are those of its formula") {
  const auto terms = terms_of("", counted_proposals());
  CHECK(terms.at("objectness") == doctest::Approx(std::log(2.)));
  CHECK(terms.at("rpn_box") == doctest::Approx((1 - 1. / 18) / 2));  // of two anchors
  CHECK(terms.at("classifier") == doctest::Approx(std::log(3.)));
  CHECK(terms.at("box") == doctest::Approx((0.05 * 0.05 * 9 / 2 + 2 - 1. / 18) / 4));  // of four proposals
  CHECK(terms.at("mask") == doctest::Approx(std::log(2.)));
}

TEST_CASE("the terms of Mask R-CNN have weights, and a network without masks has no term of them") {
  auto outputs = counted_proposals();
  const auto plain = terms_of("", outputs);
  for (const auto& [name, value] : plain) {
    CAPTURE(name);
    auto wanted = plain;
    wanted[name] = 3 * value;
    const auto weighted = terms_of(", \"" + name + "_weight\": 3", outputs);
    for (const auto& [other, of_other] : weighted) CHECK(of_other == doctest::Approx(wanted.at(other)));
  }
  outputs.named.erase("mask/logits");
  CHECK(terms_of("", outputs).size() == 4);
  outputs.named.erase("box/logits");
  CHECK_THROWS_WITH(terms_of("", outputs), doctest::Contains("the model has no output \"box/logits\""));
}

TEST_CASE("the losses of Mask R-CNN refuse weights of which all are 0") {
  CHECK_THROWS_WITH_AS(terms_of(R"(, "objectness_weight": 0, "rpn_box_weight": 0, "classifier_weight": 0,
                                   "box_weight": 0, "mask_weight": 0)",
                                counted_proposals()),
                       doctest::Contains("nothing would be learned"), SpecError);
}

TEST_CASE("the losses of Mask R-CNN without an object are 0 with a gradient") {
  Outputs outputs;
  const auto leaf = [&](at::IntArrayRef size) { return at::zeros(size).requires_grad_(true); };
  outputs.named = {{"rpn/objectness", leaf({3})},      {"rpn/labels", at::zeros({3}, at::kLong)},
                   {"rpn/deltas", leaf({0, 4})},       {"rpn/targets", at::zeros({0, 4})},
                   {"box/logits", leaf({2, 3})},       {"box/labels", at::zeros({2}, at::kLong)},
                   {"box/deltas", leaf({0, 4})},       {"box/targets", at::zeros({0, 4})},
                   {"mask/logits", leaf({0, 28, 28})}, {"mask/targets", at::zeros({0, 28, 28})}};
  at::Tensor sum = at::zeros({});
  for (const auto& [name, value] : (*make<Loss>(R"({"type": "mask_rcnn"})", context(2)))(outputs, {})) {
    CAPTURE(name);
    if (name == "rpn_box" || name == "box" || name == "mask") CHECK(value.item<double>() == 0);
    sum = sum + value;
  }
  sum.backward();
  CHECK(outputs.at("box/logits").grad().isfinite().all().item<bool>());
  outputs.named["box/logits"] = leaf({0, 3});  // nor a proposal
  outputs.named["box/labels"] = at::zeros({0}, at::kLong);
  CHECK(terms_of("", outputs).at("classifier") == 0);
}
