// The bottleneck of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381): expand, depthwise convolution, project; with a
// shortcut if input and output have the same shape.
#pragma once

#include <optional>
#include <vector>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct InvertedResidualOptions {
  int in_channels;
  int out_channels;
  int kernel_size = 3;  // odd, and padded so that stride 1 keeps the size
  int stride = 1;
  int dilation = 1;
  int expand_ratio = 6;
  std::optional<int> hidden_channels{};  // default: in_channels * expand_ratio
  bool shortcut = true;                  // if the shape stays the same; false: never
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  Activation activation = Activation::relu6;  // of all but the last layer, which has none
};

struct InvertedResidualNames {
  Names expand;  // not used if hidden_channels equals in_channels
  Names depthwise;
  Names project;
};

// Layers of `owner`. Not a module itself, like ConvNormAct.
class SECTILE_EXPORT InvertedResidual final {
 public:
  InvertedResidual(torch::nn::Module& owner, const InvertedResidualNames& names,
                   const InvertedResidualOptions& options);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, H, W] → [N, C', H', W']

 private:
  std::vector<ConvNormAct> layers_;
  bool shortcut_;
};

}  // namespace sectile::nn
