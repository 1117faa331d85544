// What turns gradients into new parameters.
#pragma once

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

class SECTILE_EXPORT Optimizer {
 public:
  virtual ~Optimizer();

  // One step on the gradients that are there; a parameter without one stays as it is. Called outside autograd, each
  // time with the same groups. lr: the learning rate of this step; a group's is lr * lr_scale.
  virtual void step(const std::vector<ParameterGroup>& groups, double lr) = 0;
};

template <class T, class OwnOptions = NoOptions>
constexpr Component optimizer(const char* name, const char* summary) {
  return component<Optimizer, T, OwnOptions>(name, summary);
}

}  // namespace sectile
