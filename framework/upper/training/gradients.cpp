#include "gradients.h"

#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/_foreach_mul.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/stack.h>

namespace sectile {

std::vector<at::Tensor> gradients(const std::vector<ParameterGroup>& groups) {
  std::vector<at::Tensor> found;
  for (const auto& group : groups)
    for (const auto& parameter : group.parameters)
      if (parameter.grad().defined()) found.push_back(parameter.grad());
  return found;
}

void forget_gradients(const std::vector<ParameterGroup>& groups) {
  for (const auto& group : groups)
    for (const auto& parameter : group.parameters) parameter.mutable_grad().reset();
}

double norm(const std::vector<at::Tensor>& gradients) {
  if (gradients.empty()) return 0;
  return at::stack(at::_foreach_norm(gradients)).norm().item<double>();
}

void clip(std::vector<at::Tensor>& gradients, double norm, double limit) {
  if (!gradients.empty()) at::_foreach_mul_(gradients, std::min(1.0, limit / (norm + 1e-6)));
}

std::vector<std::string> not_finite(const std::vector<ParameterGroup>& groups, std::size_t most) {
  std::vector<std::string> names;
  for (const auto& group : groups)
    for (std::size_t i = 0; i < group.parameters.size() && names.size() < most; ++i)
      if (const auto& gradient = group.parameters[i].grad();
          gradient.defined() && !at::isfinite(gradient).all().item<bool>())
        names.push_back(group.names[i]);
  return names;
}

void LossScaler::update(bool overflowed) {
  if (overflowed) {
    scale *= kBackoffFactor;
    growth_tracker = 0;
  } else if (++growth_tracker == kGrowthInterval) {
    scale *= kGrowthFactor;
    growth_tracker = 0;
  }
}

}  // namespace sectile
