// Adam (Kingma and Ba 2015) with LibTorch's fused kernel.
#include <ATen/ops/_fused_adam.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct AdamOptions : sectile::MomentOptions {
  double weight_decay = 0;
  bool amsgrad = false;

  void declare(sectile::Options& options) {
    MomentOptions::declare(options);
    options
        .add("weight_decay", &weight_decay,
             "Weight decay, added to the gradient (L2 penalty); not applied to norms and biases. For decoupled weight "
             "decay use adamw.")
        .at_least(0);
    options.add("amsgrad", &amsgrad, "Use the AMSGrad variant (Reddi et al. 2018).");
  }

  std::vector<std::string> slots() const {
    std::vector<std::string> slots = {"step", "exp_avg", "exp_avg_sq"};
    if (amsgrad) slots.push_back("max_exp_avg_sq");
    return slots;
  }
};

class Adam final : public sectile::ForeachOptimizer {
 public:
  explicit Adam(const AdamOptions& options) : ForeachOptimizer("adam", options.slots()), options_(options) {}

 private:
  void update(sectile::ForeachTensors& tensors, double lr, bool decay) override {
    auto& state = tensors.state;
    at::_fused_adam_(tensors.parameters, tensors.gradients, state["exp_avg"], state["exp_avg_sq"],
                     state["max_exp_avg_sq"], state["step"], lr, options_.betas[0], options_.betas[1],
                     decay ? options_.weight_decay : 0, options_.eps, options_.amsgrad, /*maximize=*/false);
  }

  AdamOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::optimizer<Adam, AdamOptions>("adam", "Adaptive steps per parameter, fused."))
