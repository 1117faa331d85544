// Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2): every element moves by the
// learning rate, in the direction of the sign of an interpolated gradient.
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_lerp.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_sign.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct LionOptions {
  std::array<double, 2> betas = {0.9, 0.99};
  double weight_decay = 0;

  void declare(sectile::Options& options) {
    options
        .add("betas", &betas,
             "How much of the running mean of the gradient counts for the direction of a step, and how much of it is "
             "kept; below 1.")
        .at_least(0)
        .at_most(1);
    options
        .add("weight_decay", &weight_decay,
             "The share of a parameter, times the learning rate, that a step takes away; norms and biases keep theirs. "
             "Three to ten times that of adamw goes with a learning rate as many times smaller.")
        .at_least(0);
  }
  void check(sectile::Problems& problems) const { sectile::check_betas(betas, problems); }
};

class Lion final : public sectile::ForeachOptimizer {
 public:
  explicit Lion(const LionOptions& options) : ForeachOptimizer("lion", {"exp_avg"}), options_(options) {}

 private:
  void update(sectile::ForeachTensors& tensors, double lr, bool decay) override {
    auto& means = tensors.state["exp_avg"];
    auto directions = at::_foreach_lerp(means, tensors.gradients, 1 - options_.betas[0]);
    at::_foreach_sign_(directions);
    if (decay) at::_foreach_mul_(tensors.parameters, 1 - lr * options_.weight_decay);
    at::_foreach_add_(tensors.parameters, directions, -lr);
    at::_foreach_lerp_(means, tensors.gradients, 1 - options_.betas[1]);
  }

  LionOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::optimizer<Lion, LionOptions>("lion",
                                                     "Steps by the sign of the momentum; half of Adam's memory."))
