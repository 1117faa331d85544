// Lion (Chen et al. 2023, "Symbolic Discovery of Optimization Algorithms", algorithm 2): every element changes by the
// learning rate times the sign of an interpolated gradient.
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
             "Coefficients of the running average of the gradient: for the update direction, and for the average "
             "itself; below 1.")
        .at_least(0)
        .at_most(1);
    options
        .add("weight_decay", &weight_decay,
             "Decoupled weight decay; not applied to norms and biases. Lion usually needs 3 to 10 times the weight "
             "decay of AdamW, with a learning rate that is smaller by the same factor.")
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
