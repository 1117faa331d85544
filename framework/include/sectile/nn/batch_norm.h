// Batch norm (Ioffe and Szegedy 2015, arXiv:1502.03167) of images and volumes: on one rank, over all ranks, or frozen.
#pragma once

#include <memory>

#include <torch/nn/module.h>

#include <sectile/nn/activation.h>
#include <sectile/nn/conv.h>
#include <sectile/roles.h>

namespace sectile::nn {

struct BatchNormOptions {
  int channels;
  double eps = 1e-5;
  double momentum = 0.1;  // of the running statistics
  bool affine = true;     // with weight and bias
  // As torchvision's FrozenBatchNorm2d: weight, bias and statistics are buffers that do not change in training.
  bool frozen = false;
  Activation activation = Activation::none;  // of the result
};

// The same names as torch.nn's BatchNorm2d and BatchNorm3d; without num_batches_tracked if frozen.
//
// If it is given the preceding convolution, whose output must not be used elsewhere, it is folded into that for
// inference, and so is its activation. Without one, its inference form is that of evaluation, which is exact.
//
// Across ranks, statistics are computed over the batches of all ranks, which may differ in size; gradients of weight
// and bias are this rank's share. Every rank must call forward and backward equally often, in the same order.
class SECTILE_EXPORT BatchNorm final : public torch::nn::Module, public InferenceForm, public AcrossRanks {
 public:
  explicit BatchNorm(const BatchNormOptions& options, std::shared_ptr<Conv> conv = nullptr);
  ~BatchNorm() override;

  // float [N, C, (D,) H, W] → the same shape. Throws DataError in training on a single rank with one value per channel.
  at::Tensor forward(const at::Tensor& input);
  void follows(std::shared_ptr<Conv> conv);  // throws PluginError for a conv with other channels or another norm
  void prepare_for_inference(const InferencePlan& plan) override;
  bool is_folded() const { return folded_; }
  void use(std::shared_ptr<const Ranks> ranks) override;

  const BatchNormOptions options;
  at::Tensor weight, bias, running_mean, running_var;  // float [C]; not used after folding
  at::Tensor num_batches_tracked;                      // int64 []

 private:
  at::Tensor trained(const at::Tensor& input);
  at::Tensor trained_across_ranks(const at::Tensor& input);
  at::Tensor evaluated(const at::Tensor& input) const;

  std::shared_ptr<Conv> conv_;
  std::shared_ptr<const Ranks> ranks_;  // null: single rank
  bool folded_ = false;
};

}  // namespace sectile::nn
