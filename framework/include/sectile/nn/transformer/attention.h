// Attention (Vaswani et al. 2017, arXiv:1706.03762).
#pragma once

#include <torch/nn/module.h>

#include <sectile/nn/linear.h>
#include <sectile/roles.h>

namespace sectile::nn {

// softmax(q k^T / sqrt(C / heads)) v, per head, by LibTorch's scaled_dot_product_attention, which does not hold the
// whole matrix. query: float [N, L, C], key and value: [N, M, C] → [N, L, C]. heads must divide C.
SECTILE_EXPORT at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int heads);

// Of tokens among themselves, with the names and the initialization of torch.nn.MultiheadAttention. The constructor
// throws PluginError unless the heads divide the channels. For inference, its weights are converted as the plan says.
class SECTILE_EXPORT MultiheadAttention final : public torch::nn::Module, public InferenceForm {
 public:
  MultiheadAttention(int channels, int heads);
  ~MultiheadAttention() override;

  at::Tensor forward(const at::Tensor& tokens) const;  // float [N, L, C] → the same shape
  void prepare_for_inference(const InferencePlan& plan) override;

  at::Tensor in_proj_weight;  // [3 C, C]: of query, key and value
  at::Tensor in_proj_bias;    // [3 C]

 private:
  std::shared_ptr<Linear> out_;  // out_proj
  int heads_;
};

}  // namespace sectile::nn
