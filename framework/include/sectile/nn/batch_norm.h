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
  bool affine = true;     // has weight and bias
  // As torchvision's FrozenBatchNorm2d: weight, bias and statistics are buffers that neither learn nor follow the
  // batches, in training too.
  bool frozen = false;
  Activation activation = Activation::none;  // of the result
};

// The same names as torch.nn's BatchNorm2d and BatchNorm3d; frozen, without num_batches_tracked.
//
// Told the convolution that it follows, and whose answers go nowhere else, it folds itself into that for inference, and
// is nothing more than its activation then. Without one it keeps the form that it has in evaluation, which is exact.
//
// Across ranks, statistics are those of all ranks' batches together, of any sizes; gradients of weight and bias are
// this rank's share. Every rank must call forward and backward equally often, in the same order.
class SECTILE_EXPORT BatchNorm final : public torch::nn::Module, public InferenceForm, public AcrossRanks {
 public:
  explicit BatchNorm(const BatchNormOptions& options, std::shared_ptr<Conv> conv = nullptr);
  ~BatchNorm() override;

  // float [N, C, (D,) H, W] → the same shape. Throws DataError in training on one rank alone that has one value per
  // channel.
  at::Tensor forward(const at::Tensor& input);
  void follows(std::shared_ptr<Conv> conv);  // throws PluginError for a conv of other channels, or one that has a norm
  void prepare_for_inference(const InferencePlan& plan) override;
  void use(std::shared_ptr<const Ranks> ranks) override;

  const BatchNormOptions options;
  at::Tensor weight, bias, running_mean, running_var;  // float [C]; not read any more once folded
  at::Tensor num_batches_tracked;                      // int64 []

 private:
  at::Tensor trained(const at::Tensor& input);
  at::Tensor trained_across_ranks(const at::Tensor& input);
  at::Tensor evaluated(const at::Tensor& input) const;

  std::shared_ptr<Conv> conv_;
  std::shared_ptr<const Ranks> ranks_;  // null: this one alone
  bool folded_ = false;
};

}  // namespace sectile::nn
