// Stochastic gradient descent with momentum as in torch.optim.SGD (Sutskever et al. 2013, with the learning rate
// outside the momentum), with LibTorch's fused kernel.
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_fused_sgd.h>

#include <sectile/foreach_optimizer.h>

namespace {

struct SgdOptions {
  double momentum = 0.9;
  double dampening = 0;
  bool nesterov = false;
  double weight_decay = 0;

  void declare(sectile::Options& options) {
    options.add("momentum", &momentum, "Momentum factor; 0: none.").at_least(0).at_most(1);
    options.add("dampening", &dampening, "Dampening of the momentum.").at_least(0).at_most(1);
    options.add("nesterov", &nesterov, "Use Nesterov momentum. Needs momentum.");
    options
        .add("weight_decay", &weight_decay,
             "Weight decay, added to the gradient (L2 penalty); not applied to norms and biases.")
        .at_least(0);
  }

  void check(sectile::Problems& problems) const {
    if (nesterov && momentum == 0) problems.add("nesterov", "needs a momentum above 0, and it is 0");
    if (nesterov && dampening != 0) problems.add("nesterov", "goes with a dampening of 0 only");
  }

  std::vector<std::string> slots() const {
    if (momentum == 0) return {};
    return {"momentum_buffer"};
  }
};

class Sgd final : public sectile::ForeachOptimizer {
 public:
  explicit Sgd(const SgdOptions& options) : ForeachOptimizer("sgd", options.slots()), options_(options) {}

 private:
  void update(sectile::ForeachTensors& tensors, double lr, bool decay) override {
    const double weight_decay = decay ? options_.weight_decay : 0;
    if (narrow_on_cpu(tensors.parameters.front())) return unfused(tensors, lr, weight_decay);
    at::_fused_sgd_(tensors.parameters, tensors.gradients, tensors.state["momentum_buffer"], weight_decay,
                    options_.momentum, lr, options_.dampening, options_.nesterov, /*maximize=*/false, tensors.first);
  }

  // LibTorch's fused CPU kernel does not update such parameters (pytorch/pytorch issue 191763).
  static bool narrow_on_cpu(const at::Tensor& parameter) { return parameter.is_cpu() && parameter.element_size() < 4; }

  void unfused(sectile::ForeachTensors& tensors, double lr, double weight_decay) const {
    auto directions = at::_foreach_add(tensors.gradients, tensors.parameters, weight_decay);
    if (options_.momentum > 0) {
      auto& buffers = tensors.state["momentum_buffer"];
      at::_foreach_mul_(buffers, options_.momentum);
      at::_foreach_add_(buffers, directions, tensors.first ? 1 : 1 - options_.dampening);
      if (options_.nesterov)
        at::_foreach_add_(directions, buffers, options_.momentum);
      else
        directions = buffers;
    }
    at::_foreach_add_(tensors.parameters, directions, -lr);
  }

  SgdOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::optimizer<Sgd, SgdOptions>("sgd", "Gradient descent with momentum, fused."))
