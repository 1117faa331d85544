// Squeeze and excitation (Hu et al. 2018, arXiv:1709.01507): scales each channel by what the whole image holds.
#pragma once

#include <memory>
#include <string>

#include <sectile/nn/activation.h>
#include <sectile/nn/conv.h>

namespace sectile::nn {

struct SqueezeExcitationOptions {
  int channels;
  int squeezed_channels;
  // MobileNetV3 (arXiv:1905.02244) has relu and hard_sigmoid, EfficientNet (arXiv:1905.11946) silu and sigmoid.
  Activation activation = Activation::relu;
  Activation gate = Activation::sigmoid;
};

struct SqueezeExcitationNames {
  std::string reduce;
  std::string expand;
};

// Two 1x1 convolutions with bias, layers of `owner`. Not a module itself, like ConvNormAct.
class SECTILE_EXPORT SqueezeExcitation final {
 public:
  SqueezeExcitation(torch::nn::Module& owner, const SqueezeExcitationNames& names,
                    const SqueezeExcitationOptions& options);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, H, W] → the same shape

 private:
  std::shared_ptr<Conv> reduce_;
  std::shared_ptr<Conv> expand_;
  Activation activation_;
  Activation gate_;
};

}  // namespace sectile::nn
