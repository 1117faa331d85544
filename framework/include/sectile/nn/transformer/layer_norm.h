// Layer norm (Ba et al. 2016, arXiv:1607.06450) over the last axis.
#pragma once

#include <torch/nn/module.h>

#include <sectile/roles.h>

namespace sectile::nn {

// The same names as torch.nn.LayerNorm of one axis. For inference, its weights are converted as the plan says, and
// autocast, which would turn it to float32, is off: the kernel sums in float32 in any case.
class SECTILE_EXPORT LayerNorm final : public torch::nn::Module, public InferenceForm {
 public:
  explicit LayerNorm(int channels, double eps = 1e-5);
  ~LayerNorm() override;

  at::Tensor forward(const at::Tensor& input) const;  // float [..., C] → the same shape
  void prepare_for_inference(const InferencePlan& plan) override;

  const double eps;
  at::Tensor weight, bias;  // [C]

 private:
  bool prepared_ = false;
};

}  // namespace sectile::nn
