// LAMB (You et al. 2020, "Large Batch Optimization for Deep Learning", algorithm 2), with the conventions of NVIDIA's
// NVLAMB and timm's Lamb: moments are bias-corrected; the trust ratio is the norm of a parameter over that of its step,
// 1 if either is 0; parameters without weight decay have no trust ratio. Unlike there, gradients are not clipped here:
// use the training option.
#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_addcmul.h>
#include <ATen/ops/_foreach_div.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/_foreach_sqrt.h>
#include <ATen/ops/pow.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct LambOptions : sectile::MomentOptions {
  double weight_decay = 1e-2;
  bool trust_clip = false;
  bool always_adapt = false;

  LambOptions() { eps = 1e-6; }
  void declare(sectile::Options& options) {
    MomentOptions::declare(options);
    options
        .add("weight_decay", &weight_decay,
             "Weight decay, added to the update before it is scaled; not applied to norms and biases.")
        .at_least(0);
    options.add("trust_clip", &trust_clip, "Clip the trust ratio at 1.");
    options.add("always_adapt", &always_adapt, "Apply the trust ratio to parameters without weight decay too.");
  }
};

// Bias correction of a running mean, by the number of updates: double [parameters].
at::Tensor filled(const std::vector<at::Tensor>& counts, double beta) {
  return 1 - at::pow(beta, at::stack(counts).to(at::kDouble));
}

class Lamb final : public sectile::ForeachOptimizer {
 public:
  explicit Lamb(const LambOptions& options)
      : ForeachOptimizer("lamb", {"step", "exp_avg", "exp_avg_sq"}), options_(options) {}

 private:
  void update(sectile::ForeachTensors& tensors, double lr, bool decay) override {
    auto updates = adam_updates(tensors);
    const double weight_decay = decay ? options_.weight_decay : 0;
    if (weight_decay > 0) at::_foreach_add_(updates, tensors.parameters, weight_decay);
    if (weight_decay > 0 || options_.always_adapt)
      at::_foreach_mul_(updates, trust_ratios(tensors.parameters, updates).unbind());
    at::_foreach_add_(tensors.parameters, updates, -lr);
  }

  // The step of Adam, without the learning rate.
  std::vector<at::Tensor> adam_updates(sectile::ForeachTensors& tensors) const {
    const auto [beta1, beta2] = options_.betas;
    auto &means = tensors.state["exp_avg"], &squares = tensors.state["exp_avg_sq"];
    const auto& counts = tensors.state["step"];
    at::_foreach_lerp_(means, tensors.gradients, 1 - beta1);
    at::_foreach_mul_(squares, beta2);
    at::_foreach_addcmul_(squares, tensors.gradients, tensors.gradients, 1 - beta2);

    auto roots = at::_foreach_sqrt(squares);
    at::_foreach_div_(roots, filled(counts, beta2).sqrt().unbind());
    at::_foreach_add_(roots, options_.eps);
    auto updates = at::_foreach_div(means, filled(counts, beta1).unbind());
    at::_foreach_div_(updates, roots);
    return updates;
  }

  at::Tensor trust_ratios(const std::vector<at::Tensor>& parameters, const std::vector<at::Tensor>& updates) const {
    const auto lengths = at::stack(at::_foreach_norm(parameters)), steps = at::stack(at::_foreach_norm(updates));
    const auto ratios = at::where((lengths > 0).logical_and(steps > 0), lengths / steps, 1.0);
    return options_.trust_clip ? ratios.clamp_max(1) : ratios;
  }

  LambOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::optimizer<Lamb, LambOptions>(
                            "lamb", "Adam with steps in proportion to each parameter's length, for large batches."))
