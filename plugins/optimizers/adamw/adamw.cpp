// AdamW (Loshchilov and Hutter 2019, "Decoupled Weight Decay Regularization") on LibTorch's fused kernel.
#include <array>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_add.h>
#include <ATen/ops/_fused_adamw.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <sectile/optimizer.h>

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

  void check(sectile::Problems& problems) const {
    for (const double beta : betas)
      if (beta == 1) problems.add("betas", "a value of 1 never forgets the zero it starts from: below 1");
  }
};

// Names as in torch.optim's state dict.
struct Moments {
  at::Tensor exp_avg, exp_avg_sq, max_exp_avg_sq, step;
};

class AdamW final : public sectile::Optimizer {
 public:
  explicit AdamW(const AdamWOptions& options) : options_(options) {}

  void step(const std::vector<sectile::ParameterGroup>& groups, double lr) override {
    for (const auto& group : groups) step(group, lr * group.lr_scale);
  }

  std::map<std::string, at::Tensor> state() const override {
    std::map<std::string, at::Tensor> state;
    for (const auto& [name, moments] : moments_) {
      state["exp_avg." + name] = moments.exp_avg;
      state["exp_avg_sq." + name] = moments.exp_avg_sq;
      state["step." + name] = moments.step;
      if (options_.amsgrad) state["max_exp_avg_sq." + name] = moments.max_exp_avg_sq;
    }
    return state;
  }

  void load(const std::map<std::string, at::Tensor>& state) override {
    const std::string prefix = "step.";
    const auto part = [&](const std::string& kind, const std::string& name) {
      const auto found = state.find(kind + name);
      if (found == state.end())
        throw sectile::DataError("adamw", "the state has no \"" + kind + name + "\", but a step count of \"" + name +
                                              "\": it was saved with other options, or by another optimizer");
      return found->second.clone();
    };
    moments_.clear();
    for (const auto& [key, count] : state) {
      if (key.compare(0, prefix.size(), prefix) != 0) continue;
      const auto name = key.substr(prefix.size());
      auto& moments = moments_[name];
      moments = {part("exp_avg.", name), part("exp_avg_sq.", name), {}, count.clone()};
      if (options_.amsgrad) moments.max_exp_avg_sq = part("max_exp_avg_sq.", name);
    }
  }

 private:
  Moments& moments(const std::string& name, const at::Tensor& parameter) {
    auto& own = moments_[name];
    if (!own.step.defined()) {
      own = {at::zeros_like(parameter),
             at::zeros_like(parameter),
             {},
             at::zeros({}, parameter.options().dtype(at::kFloat))};
      if (options_.amsgrad) own.max_exp_avg_sq = at::zeros_like(parameter);
    }
    for (auto* moment : {&own.exp_avg, &own.exp_avg_sq, &own.max_exp_avg_sq}) {
      if (!moment->defined()) continue;
      if (moment->sizes() != parameter.sizes())
        throw sectile::DataError("adamw", "the state of \"" + name + "\" has another shape than the parameter");
      *moment = laid_out_like(parameter, *moment);
    }
    own.step = own.step.to(parameter.device());
    return own;
  }

  void step(const sectile::ParameterGroup& group, double lr) {
    std::vector<at::Tensor> parameters, gradients, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps;
    for (std::size_t i = 0; i < group.parameters.size(); ++i) {
      const auto& parameter = group.parameters[i];
      if (!parameter.grad().defined()) continue;
      auto& own = moments(group.names[i], parameter);
      parameters.push_back(parameter);
      gradients.push_back(laid_out_like(parameter, parameter.grad()));
      exp_avgs.push_back(own.exp_avg);
      exp_avg_sqs.push_back(own.exp_avg_sq);
      if (options_.amsgrad) max_exp_avg_sqs.push_back(own.max_exp_avg_sq);
      steps.push_back(own.step);
    }
    if (parameters.empty()) return;
    at::_foreach_add_(steps, 1);
    at::_fused_adamw_(parameters, gradients, exp_avgs, exp_avg_sqs, max_exp_avg_sqs, steps, lr, options_.betas[0],
                      options_.betas[1], group.decay ? options_.weight_decay : 0, options_.eps, options_.amsgrad,
                      /*maximize=*/false);
  }

  // The kernel walks over memory, so element i of one tensor must be element i of the others, which is not so when the
  // state comes from a file.
  static at::Tensor laid_out_like(const at::Tensor& parameter, const at::Tensor& other) {
    if (other.strides() == parameter.strides() && other.device() == parameter.device()) return other;
    return at::empty_like(parameter).copy_(other);
  }

  AdamWOptions options_;
  std::map<std::string, Moments> moments_;  // of parameters that had a gradient, by name
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::optimizer<AdamW, AdamWOptions>("adamw", "Adam with decoupled weight decay, fused."))
