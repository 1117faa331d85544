// The bottleneck of MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381): widen, filter each channel, narrow; with a
// shortcut where the shape stays.
#pragma once

#include <vector>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct InvertedResidualOptions {
  int in_channels;
  int out_channels;
  int stride = 1;
  int expand_ratio = 6;  // 1: nothing is widened
  double momentum = 0.1;
};

// Names of mmsegmentation's InvertedResidual: conv.0.*, conv.1.*, conv.2.*. Activations are ReLU.
class SECTILE_EXPORT InvertedResidual final : public torch::nn::Module {
 public:
  explicit InvertedResidual(const InvertedResidualOptions& options);
  ~InvertedResidual() override;
  at::Tensor forward(const at::Tensor& input);  // float [N, C, H, W] → [N, C', H', W']

 private:
  std::vector<std::shared_ptr<ConvNormAct>> conv_;
  bool shortcut_;
};

}  // namespace sectile::nn
