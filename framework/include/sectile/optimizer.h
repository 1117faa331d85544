// Optimizers: update parameters from gradients.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/component.h>
#include <sectile/torch_abi.h>

namespace sectile {

// Parameters with the same settings.
struct ParameterGroup {
  double lr_scale = 1;
  bool decay = true;  // norms and biases do not
  std::vector<std::string> names{};
  std::vector<at::Tensor> parameters{};  // one for each name
};

// State of one parameter, under torch.optim's names: "step", "exp_avg", …
using ParameterState = std::map<std::string, at::Tensor>;

class SECTILE_EXPORT Optimizer {
 public:
  virtual ~Optimizer();

  // One step; parameters without a gradient do not change. Called outside autograd, each time with the same groups. lr:
  // the learning rate of this step; that of a group is lr * lr_scale.
  virtual void step(const std::vector<ParameterGroup>& groups, double lr) = 0;

  // The state between steps, for a checkpoint, by parameter name; the tensors are shared with the optimizer, which
  // changes them in its next step. load is called before the first step and throws DataError for a state that does not
  // fit. An optimizer without state need not override these.
  virtual std::map<std::string, ParameterState> state() const { return {}; }
  virtual void load(const std::map<std::string, ParameterState>& /*state*/) {}
};

template <class T, class OwnOptions = NoOptions>
constexpr Component optimizer(const char* name, const char* summary) {
  return component<Optimizer, T, OwnOptions>(name, summary);
}

}  // namespace sectile
