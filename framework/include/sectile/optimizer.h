// What turns gradients into new parameters.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/component.h>
#include <sectile/torch_abi.h>

namespace sectile {

// Parameters that are treated alike.
struct ParameterGroup {
  double lr_scale = 1;
  bool decay = true;  // norms and biases do not
  std::vector<std::string> names{};
  std::vector<at::Tensor> parameters{};  // one for each name
};

// What is remembered of one parameter, under torch.optim's names: "step", "exp_avg", …
using ParameterState = std::map<std::string, at::Tensor>;

class SECTILE_EXPORT Optimizer {
 public:
  virtual ~Optimizer();

  // One step on the gradients that are there; a parameter without one stays as it is. Called outside autograd, each
  // time with the same groups. lr: the learning rate of this step; a group's is lr * lr_scale.
  virtual void step(const std::vector<ParameterGroup>& groups, double lr) = 0;

  // What it remembers between steps, for a checkpoint, by parameter name; the tensors are shared with the optimizer,
  // which changes them in its next step. Loading comes before the first step and throws DataError for a state that does
  // not fit. Nothing to remember, nothing to override.
  virtual std::map<std::string, ParameterState> state() const { return {}; }
  virtual void load(const std::map<std::string, ParameterState>& /*state*/) {}
};

template <class T, class OwnOptions = NoOptions>
constexpr Component optimizer(const char* name, const char* summary) {
  return component<Optimizer, T, OwnOptions>(name, summary);
}

}  // namespace sectile
