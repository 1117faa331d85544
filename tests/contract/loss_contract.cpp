// Losses: a finite number with a finite gradient for whatever a batch may hold.
#include <cmath>

#include <ATen/ATen.h>

#include <sectile/loss.h>

#include "contract.h"
#include "meta_device.h"

namespace sectile::contract {
namespace {

struct Evaluated {
  double value = 0;
  at::Tensor gradient{};
};

Evaluated evaluate(Findings& findings, const Loss& loss, const std::string& what, const at::Tensor& logits,
                   const at::Tensor& labels) {
  Outputs outputs;
  outputs.logits = logits.detach().clone().requires_grad_();
  Batch batch;
  batch.labels = labels;
  at::Tensor sum;
  for (const auto& term : loss(outputs, batch)) {
    findings.expect(term.value.dim() == 0, what + ": a term is no scalar");
    findings.expect(term.value.requires_grad(), what + ": a term has no gradient");
    sum = sum.defined() ? sum + term.value : term.value;
  }
  if (!sum.defined() || !sum.requires_grad()) {
    findings.expect(sum.defined(), what + ": gives no term");
    return {};
  }
  sum.backward();
  const Evaluated result{sum.item<double>(), outputs.logits.grad()};
  findings.expect(std::isfinite(result.value), what + ": the loss is " + std::to_string(result.value));
  findings.expect(result.gradient.defined() && result.gradient.isfinite().all().item<bool>(),
                  what + ": the gradient is missing or not finite");
  return result;
}

at::Tensor numbers(at::IntArrayRef size, std::int64_t classes) {  // some ignored
  return at::randint(kIgnore, classes, size, at::kLong);
}

at::Tensor per_class(at::IntArrayRef size) {  // 0, 1, some ignored
  return at::randint(kIgnore, 2, size, at::kLong).to(at::kFloat);
}

// Along the gradient the loss changes as the gradient says. In float64, by steps too small to cross the thresholds of a
// loss that is smooth only piece by piece.
void check_gradient(Findings& findings, const Loss& loss, const at::Tensor& logits, const at::Tensor& labels) {
  const auto exact = logits.to(at::kDouble);
  const auto here = evaluate(findings, loss, "gradient", exact, labels);
  if (!here.gradient.defined()) return;
  const double slope = here.gradient.norm().item<double>();
  if (slope < 1e-6) return;
  const auto direction = here.gradient / slope;
  constexpr double kStep = 1e-4;
  const auto above = evaluate(findings, loss, "gradient", exact + kStep * direction, labels).value;
  const auto below = evaluate(findings, loss, "gradient", exact - kStep * direction, labels).value;
  const double measured = (above - below) / (2 * kStep);
  findings.expect(std::abs(measured - slope) < 0.02 * slope, "the gradient does not belong to the loss: it says " +
                                                                 std::to_string(slope) + " where " +
                                                                 std::to_string(measured) + " is measured");
}

void check_numbers(Findings& findings, const Loss& loss, std::int64_t classes) {
  const auto run = [&](const char* what, const at::Tensor& logits, const at::Tensor& labels) {
    findings.attempt(what, [&] { evaluate(findings, loss, what, logits, labels); });
  };
  const auto labels = numbers({2, 9, 7}, classes);
  const auto logits = at::randn({2, classes, 9, 7});
  run("a batch of two", logits, labels);
  run("channels-last logits", logits.contiguous(at::MemoryFormat::ChannelsLast), labels);
  run("a batch of one of odd size", at::randn({1, classes, 5, 3}), numbers({1, 5, 3}, classes));
  run("one pixel", at::randn({1, classes, 1, 1}), at::zeros({1, 1, 1}, at::kLong));
  run("logits coarser than the labels", at::randn({2, classes, 5, 4}), labels);
  run("every pixel ignored", logits, at::full({2, 9, 7}, kIgnore, at::kLong));
  run("one class only", logits, at::zeros({2, 9, 7}, at::kLong));
  run("extreme logits", at::sign(logits) * 1e4, labels);
  findings.attempt("measuring its gradient", [&] { check_gradient(findings, loss, logits, labels); });
  findings.attempt_or_refuse("a volume", [&] {
    evaluate(findings, loss, "a volume", at::randn({1, classes, 3, 5, 4}), numbers({1, 3, 5, 4}, classes));
  });
}

void check_per_class(Findings& findings, const Loss& loss, std::int64_t classes) {
  const auto run = [&](const char* what, const at::Tensor& logits, const at::Tensor& labels) {
    findings.attempt_or_refuse(what, [&] { evaluate(findings, loss, what, logits, labels); });
  };
  const auto logits = at::randn({2, classes, 5, 7});
  run("labels per class", logits, per_class({2, classes, 5, 7}));
  run("labels per class, every entry ignored", logits, at::full({2, classes, 5, 7}, kIgnore, at::kFloat));
  run("labels per class, extreme logits", at::sign(logits) * 1e4, per_class({2, classes, 5, 7}));
  run("labels per class of a volume", at::randn({1, classes, 3, 5, 4}), per_class({1, classes, 3, 5, 4}));
}

void check_no_peeking(Findings& findings, const Loss& loss, const at::Tensor& labels, std::int64_t classes) {
  if (loss.reads_values()) return;
  auto shape = labels.sizes().vec();
  if (labels.is_floating_point()) shape.erase(shape.begin() + 1);
  shape.insert(shape.begin() + 1, classes);
  const auto found = peeks([&] {
    Outputs outputs;
    outputs.logits = on_meta(at::empty(shape)).requires_grad_();
    Batch batch;
    batch.labels = on_meta(labels);
    for (const auto& term : loss(outputs, batch)) term.value.backward({}, /*retain_graph=*/true);
  });
  findings.expect(found.empty(),
                  "it does not run on the meta device, where tensors have no values, and does not say "
                  "so (Loss::reads_values): " +
                      found);
}

}  // namespace

Findings loss_contract(const Subject& subject) {
  Findings findings;
  at::manual_seed(1);
  for (const int classes : {4, 1}) {
    const auto loss = build<Loss>(subject, context(classes));
    if (!loss) return findings;
    const bool reads_logits_alone = dynamic_cast<DenseLoss*>(loss.get()) != nullptr;
    if (!reads_logits_alone) return findings;
    check_numbers(findings, *loss, classes);
    check_no_peeking(findings, *loss, numbers({2, 9, 7}, classes), classes);
    findings.attempt_or_refuse("soft labels", [&] {
      evaluate(findings, *loss, "soft labels", at::randn({2, classes, 3, 3}), at::rand({2, classes, 3, 3}).softmax(1));
    });
    findings.attempt_or_refuse("overlapping classes", [&] {
      check_per_class(findings, *build<Loss>(subject, context(classes, /*overlapping=*/true)), classes);
    });
  }
  return findings;
}

}  // namespace sectile::contract
