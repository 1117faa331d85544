// AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization") with LibTorch's fused kernel.
#include <ATen/ops/_fused_adamw.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct AdamWOptions : sectile::MomentOptions {
  double weight_decay = 1e-2;
  bool amsgrad = false;

  void declare(sectile::Options& options) {
    MomentOptions::declare(options);
    options.add("weight_decay", &weight_decay, "Decoupled weight decay; not applied to norms and biases.").at_least(0);
    options.add("amsgrad", &amsgrad, "Use the AMSGrad variant (Reddi et al. 2018).");
  }

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
