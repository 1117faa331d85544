// Processing of gradients between backward and the optimizer step.
#pragma once

#include <cstdint>
#include <vector>

#include <sectile/optimizer.h>

namespace sectile {

std::vector<at::Tensor> gradients(const std::vector<ParameterGroup>& groups);  // those that are defined
void forget_gradients(const std::vector<ParameterGroup>& groups);

// The norm of all gradients; not finite if any of them is not.
double norm(const std::vector<at::Tensor>& gradients);

// torch.nn.utils.clip_grad_norm_'s formula.
void clip(std::vector<at::Tensor>& gradients, double norm, double limit);

// The names of the parameters whose gradient is not finite, at most `most` of them.
std::vector<std::string> not_finite(const std::vector<ParameterGroup>& groups, std::size_t most);

// Loss scaling for fp16: the loss is multiplied before backward, the gradients are divided after it. A step whose
// gradients overflow is skipped (as in torch.amp.GradScaler, with its constants and names).
struct LossScaler {
  double scale = 65536;
  std::int64_t growth_tracker = 0;

  static constexpr double kGrowthFactor = 2, kBackoffFactor = 0.5;
  static constexpr std::int64_t kGrowthInterval = 2000;

  void update(bool overflowed);
};

}  // namespace sectile
