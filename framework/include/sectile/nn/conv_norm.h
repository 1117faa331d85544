// Convolution, batch norm, ReLU: the block that most networks are made of. Parameter names conv.*, norm.*.
#pragma once

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <sectile/roles.h>

namespace sectile::nn {

class SECTILE_EXPORT ConvNorm : public torch::nn::Module, public InferenceForm, public AcrossRanks {
 public:
  ConvNorm(int in, int out, int kernel, int stride = 1);
  ~ConvNorm() override;
  at::Tensor forward(const at::Tensor& input);
  void prepare_for_inference() override;                  // folds the norm into the convolution
  void use(std::shared_ptr<const Ranks> ranks) override;  // from now on statistics span all ranks

 private:
  torch::nn::Conv2d conv_;
  torch::nn::BatchNorm2d norm_;
  at::Tensor normalized_across_ranks(const at::Tensor& x);
  std::shared_ptr<const Ranks> ranks_;
  bool folded_ = false;
};

}  // namespace sectile::nn
