// Group norm (Wu and He 2018, arXiv:1803.08494) of images and volumes.
#pragma once

#include <torch/nn/module.h>

#include <sectile/nn/activation.h>
#include <sectile/roles.h>

namespace sectile::nn {

struct GroupNormOptions {
  int channels;
  int groups = 32;
  double eps = 1e-5;
  Activation activation = Activation::none;  // of the result
};

// The same names as torch.nn.GroupNorm. The constructor throws PluginError unless the groups divide the channels.
//
// For inference, its weights are converted as the plan says, and autocast, which would turn it to float32, is off: the
// kernel sums in float32 in any case.
class SECTILE_EXPORT GroupNorm final : public torch::nn::Module, public InferenceForm {
 public:
  explicit GroupNorm(const GroupNormOptions& options);
  ~GroupNorm() override;

  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, (D,) H, W] → the same shape
  void prepare_for_inference(const InferencePlan& plan) override;

  const GroupNormOptions options;
  at::Tensor weight, bias;  // [C]

 private:
  bool prepared_ = false;
};

}  // namespace sectile::nn
