// The bottleneck of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381): expand, depthwise convolution, project; with a
// shortcut if input and output have the same shape. With squeeze and excitation before the last layer, it is that of
// MobileNetV3 (arXiv:1905.02244) and EfficientNet (arXiv:1905.11946).
#pragma once

#include <optional>
#include <vector>

#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/squeeze_excitation.h>

namespace sectile::nn {

struct InvertedResidualOptions {
  int in_channels;
  int out_channels;
  int kernel_size = 3;
  int stride = 1;  // of the depthwise convolution, like dilation and padding
  int dilation = 1;
  std::optional<int> padding{};  // default: stride 1 keeps the size, if kernel_size is odd
  int end_padding = 0;           // more zeros at the bottom and right
  int expand_ratio = 6;
  std::optional<int> hidden_channels{};  // default: in_channels * expand_ratio
  int squeezed_channels = 0;             // of squeeze and excitation; 0: none
  bool shortcut = true;                  // if the shape stays the same; false: never
  double drop_path_rate = 0;             // of stochastic depth, if there is a shortcut
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  Activation activation = Activation::relu6;  // of all but the last layer, which has none
  Activation squeezed_activation = Activation::relu;
  Activation gate = Activation::sigmoid;
};

struct InvertedResidualNames {
  Names expand;  // not used if hidden_channels equals in_channels
  Names depthwise;
  Names project;
  SqueezeExcitationNames squeeze{};
};

// Layers of `owner`. Not a module itself, like ConvNormAct.
class SECTILE_EXPORT InvertedResidual final {
 public:
  InvertedResidual(torch::nn::Module& owner, const InvertedResidualNames& names,
                   const InvertedResidualOptions& options);
  // float [N, C, H, W] → [N, C', H', W']. Move the input in where it is not used afterwards
  // (ConvNormAct::forward_added).
  at::Tensor forward(at::Tensor input) const;

 private:
  const torch::nn::Module* owner_;   // contains the layers
  std::vector<ConvNormAct> layers_;  // all but the last: the depthwise convolution, and the expansion if there is one
  std::optional<SqueezeExcitation> squeeze_;
  std::optional<ConvNormAct> project_;
  bool shortcut_;
  double drop_path_rate_;
};

}  // namespace sectile::nn
