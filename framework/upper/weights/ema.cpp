#include "ema.h"

#include <algorithm>

#include <ATen/ops/_foreach_lerp.h>
#include <c10/core/GradMode.h>

#include <sectile/error.h>

namespace sectile {

Ema::Ema(torch::nn::Module& module, double decay, bool warmup) : decay_(decay), warmup_(warmup) {
  for (const auto& [name, tensor] : state_dict(module)) {
    names_.push_back(name);
    weights_.push_back(tensor);
    means_.push_back(tensor.detach().clone());
  }
}

void Ema::update(std::int64_t step) {
  const c10::AutoGradMode no_gradients(false);
  const auto done = static_cast<double>(step);
  const double decay = warmup_ ? std::min(decay_, (1 + done) / (10 + done)) : decay_;
  std::vector<at::Tensor> means, weights;
  for (std::size_t i = 0; i < means_.size(); ++i) {
    if (means_[i].is_floating_point()) {
      means.push_back(means_[i]);
      weights.push_back(weights_[i]);
    } else {
      means_[i].copy_(weights_[i]);
    }
  }
  at::_foreach_lerp_(means, weights, 1 - decay);
}

StateDict Ema::state() const {
  StateDict state;
  for (std::size_t i = 0; i < names_.size(); ++i) state[names_[i]] = means_[i];
  return state;
}

void Ema::load(const StateDict& state) {
  const c10::AutoGradMode no_gradients(false);
  for (std::size_t i = 0; i < names_.size(); ++i) {
    const auto found = state.find(names_[i]);
    if (found == state.end() || found->second.sizes() != means_[i].sizes())
      throw DataError("ema", "the running mean of \"" + names_[i] + "\" is missing or of another shape");
    means_[i].copy_(found->second);
  }
}

void Ema::Scope::swap() {
  if (!ema_) return;
  const c10::AutoGradMode no_gradients(false);
  for (std::size_t i = 0; i < ema_->weights_.size(); ++i) {
    const auto weights = ema_->weights_[i].detach();
    ema_->weights_[i].set_data(ema_->means_[i]);
    ema_->means_[i] = weights;
  }
}

}  // namespace sectile
