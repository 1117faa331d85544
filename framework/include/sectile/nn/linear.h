// A linear layer over the last axis.
#pragma once

#include <torch/nn/module.h>

#include <sectile/roles.h>

namespace sectile::nn {

// The same weights, initial distribution and names as torch.nn.Linear. For inference, its weights are converted as the
// plan says.
class SECTILE_EXPORT Linear final : public torch::nn::Module, public InferenceForm {
 public:
  Linear(int in_features, int out_features, bool has_bias = true);
  ~Linear() override;
  at::Tensor forward(const at::Tensor& input) const;  // float [..., in] → [..., out]
  void prepare_for_inference(const InferencePlan& plan) override;

  at::Tensor weight;  // [out, in]
  at::Tensor bias;    // [out], or undefined
};

}  // namespace sectile::nn
