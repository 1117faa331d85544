// AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization") on LibTorch's fused kernel.
#include <ATen/ops/_fused_adamw.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct AdamWOptions {
  std::array<double, 2> betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 1e-2;
  bool amsgrad = false;

  void declare(sectile::Options& options) {
    options
        .add("betas", &betas,
             "How much of the running means of the gradient and of its square is kept in a step; below 1.")
        .at_least(0)
        .at_most(1);
    options.add("eps", &eps, "Added to the root of the mean square before dividing by it.").at_least(0);
    options
        .add("weight_decay", &weight_decay,
             "The share of a parameter, times the learning rate, that a step takes away; norms and biases keep theirs.")
        .at_least(0);
    options.add("amsgrad", &amsgrad, "Divide by the largest mean square so far (Reddi et al. 2018).");
  }
  void check(sectile::Problems& problems) const { sectile::check_betas(betas, problems); }

  std::vector<std::string> slots() const {
    std::vector<std::string> slots = {"step", "exp_avg", "exp_avg_sq"};
    if (amsgrad) slots.push_back("max_exp_avg_sq");
    return slots;
  }
};

class AdamW final : public sectile::ForeachOptimizer {
 public:
  explicit AdamW(const AdamWOptions& options) : ForeachOptimizer("adamw", options.slots()), options_(options) {}

 private:
  void update(sectile::ForeachTensors& tensors, double lr, bool decay) override {
    auto& state = tensors.state;
    at::_fused_adamw_(tensors.parameters, tensors.gradients, state["exp_avg"], state["exp_avg_sq"],
                      state["max_exp_avg_sq"], state["step"], lr, options_.betas[0], options_.betas[1],
                      decay ? options_.weight_decay : 0, options_.eps, options_.amsgrad, /*maximize=*/false);
  }

  AdamWOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.1.0", sectile::optimizer<AdamW, AdamWOptions>("adamw", "Adam with decoupled weight decay, fused."))
