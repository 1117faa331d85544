// Convolution, norm, activation: the block that most networks are made of, with a training form and an inference form.
#pragma once

#include <memory>
#include <string>

#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>

#include <sectile/roles.h>

namespace sectile::nn {

enum class Norm { none, batch };
enum class Activation { none, relu };

// The convolution has a bias where no norm follows it.
struct ConvNormActOptions {
  int in_channels;
  int out_channels;
  int kernel_size;
  int stride = 1;
  int padding = 0;
  int groups = 1;
  Norm norm = Norm::batch;
  Activation activation = Activation::relu;
  double momentum = 0.1;  // of the norm's running statistics
};

// The three layers, registered in any module under any names: where the Python original keeps convolution and norm as
// two children of a larger module, that module holds this, and forwards the roles InferenceForm and AcrossRanks to it.
class SECTILE_EXPORT ConvNormActLayers final {
 public:
  ConvNormActLayers(torch::nn::Module& owner, const std::string& conv_name, const std::string& norm_name,
                    const ConvNormActOptions& options);
  at::Tensor forward(const at::Tensor& input);  // float [N, C, H, W] → [N, C', H', W']
  // Of both, joined along their channels: the same as forward(cat({a, b}, 1)), with less to remember for the way back.
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b);
  void fold();                                   // the norm into the convolution; once, with the final weights
  void use(std::shared_ptr<const Ranks> ranks);  // from now on statistics span all ranks

 private:
  at::Tensor normalized_and_activated(const at::Tensor& convolved);
  at::Tensor normalized(const at::Tensor& x);
  at::Tensor normalized_across_ranks(const at::Tensor& x);

  std::shared_ptr<torch::nn::Conv2dImpl> conv_;
  std::shared_ptr<torch::nn::BatchNorm2dImpl> norm_;  // null: none, or folded
  std::shared_ptr<const Ranks> ranks_;
  Activation activation_;
};

// The same as a module of its own, with the names of mmcv's ConvModule: conv.*, bn.*.
class SECTILE_EXPORT ConvNormAct final : public torch::nn::Module, public InferenceForm, public AcrossRanks {
 public:
  explicit ConvNormAct(const ConvNormActOptions& options);
  ~ConvNormAct() override;
  at::Tensor forward(const at::Tensor& input);
  void prepare_for_inference() override;
  void use(std::shared_ptr<const Ranks> ranks) override;

 private:
  ConvNormActLayers layers_;
};

}  // namespace sectile::nn
