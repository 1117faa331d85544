// Optimizers: downhill, and only what has a gradient moves.
#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <sectile/optimizer.h>

#include "contract.h"

namespace sectile::contract {
namespace {

// Half the squared distance to a target; the second parameter never has a gradient, the third is channels-last.
struct Quadratic {
  at::Tensor moved = at::ones({3, 4}), resting = at::ones({2}), wide = at::ones({2, 3, 2, 2});
  at::Tensor target = at::linspace(-2, 2, 12).view({3, 4});
  std::vector<ParameterGroup> groups;

  Quadratic() {
    wide = wide.contiguous(at::MemoryFormat::ChannelsLast);
    groups = {{.names = {"moved", "resting"}, .parameters = {moved, resting}},
              {.lr_scale = 0.5, .decay = false, .names = {"wide"}, .parameters = {wide}}};
    for (auto& group : groups)
      for (auto& parameter : group.parameters) parameter.requires_grad_();
  }
  double value() const { return ((moved - target).square().sum() + wide.square().sum()).item<double>() / 2; }
  void step(Optimizer& optimizer, double lr) {
    moved.mutable_grad() = (moved - target).detach();
    wide.mutable_grad() = wide.detach().clone();
    const c10::NoGradGuard no_grad;
    optimizer.step(groups, lr);
  }
};

void check_descent(Findings& findings, Optimizer& optimizer) {
  Quadratic problem;
  double before = problem.value();
  for (int step = 0; step < 3; ++step) {
    problem.step(optimizer, 1e-3);
    const double after = problem.value();
    findings.expect(after < before, "step " + std::to_string(step) + " does not lower a quadratic: " +
                                        std::to_string(before) + " to " + std::to_string(after));
    before = after;
  }
  findings.expect(at::equal(problem.resting, at::ones({2})), "a parameter without a gradient is moved");
}

void check_still(Findings& findings, Optimizer& optimizer) {
  Quadratic problem;
  problem.step(optimizer, 0);
  findings.expect(at::equal(problem.moved, at::ones({3, 4})), "a learning rate of 0 moves a parameter");
}

void check_resumed(Findings& findings, const Subject& subject) {
  const auto unbroken = build<Optimizer>(subject, {}), other = build<Optimizer>(subject, {});
  Quadratic first, second;
  for (int step = 0; step < 2; ++step) first.step(*unbroken, 1e-2);
  const c10::NoGradGuard no_grad;
  second.moved.copy_(first.moved);
  second.wide.copy_(first.wide);
  auto saved = unbroken->state();
  for (auto& [parameter, slots] : saved) {
    findings.expect(parameter == "moved" || parameter == "wide",
                    "its state names \"" + parameter + "\", which is no parameter that was stepped");
    for (auto& [slot, tensor] : slots) tensor = tensor.clone();
  }
  other->load(saved);
  first.step(*unbroken, 1e-2);
  second.step(*other, 1e-2);
  findings.expect(at::equal(first.moved, second.moved) && at::equal(first.wide, second.wide),
                  "an optimizer with the state of another goes on differently");
}

}  // namespace

Findings optimizer_contract(const Subject& subject) {
  Findings findings;
  const auto first = build<Optimizer>(subject, {});
  if (!first) return findings;
  findings.attempt("stepping downhill", [&] { check_descent(findings, *first); });
  findings.attempt("a learning rate of 0", [&] { check_still(findings, *build<Optimizer>(subject, {})); });
  findings.attempt("a step without any gradient", [&] {
    Quadratic problem;
    build<Optimizer>(subject, {})->step(problem.groups, 1e-3);
  });
  findings.attempt("saving and loading its state", [&] { check_resumed(findings, subject); });
  return findings;
}

}  // namespace sectile::contract
