// Pyramid pooling (Zhao et al. 2017, arXiv:1612.01105): averages over grids of several sizes, concatenated to the
// features.
#pragma once

#include <vector>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct PyramidPoolingOptions {
  int in_channels;
  int channels;  // of each scale
  std::vector<int> pool_scales = {1, 2, 3, 6};
  bool align_corners = false;
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  Activation activation = Activation::relu;
};

// Layers of `owner`, with one pair of names per scale. Not a module itself, like ConvNormAct. Throws PluginError unless
// there are as many names as scales.
class SECTILE_EXPORT PyramidPooling final {
 public:
  PyramidPooling(torch::nn::Module& owner, const std::vector<Names>& names, const PyramidPoolingOptions& options);
  at::Tensor forward(
      const at::Tensor& input) const;  // float [N, C, H, W] → [N, C + scales · channels, H, W], input first

 private:
  std::vector<int> pool_scales_;
  bool align_corners_;
  std::vector<ConvNormAct> stages_;
};

}  // namespace sectile::nn
