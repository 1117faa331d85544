// Pyramid pooling (Zhao et al. 2017, arXiv:1612.01105): what the whole picture looks like, seen through grids of
// several sizes and laid beside each feature.
#pragma once

#include <vector>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct PyramidPoolingOptions {
  int in_channels;
  int channels;  // of each scale
  std::vector<int> pool_scales = {1, 2, 3, 6};
  bool align_corners = false;
  double momentum = 0.1;
};

// Names of mmsegmentation's PPM: <scale's index>.1.*, index 0 of each being the pooling.
class SECTILE_EXPORT PyramidPooling final : public torch::nn::Module {
 public:
  explicit PyramidPooling(const PyramidPoolingOptions& options);
  ~PyramidPooling() override;
  at::Tensor forward(const at::Tensor& input);  // float [N, C, H, W] → [N, C + scales · channels, H, W], input first

 private:
  PyramidPoolingOptions options_;
  std::vector<std::shared_ptr<ConvNormAct>> stages_;
};

}  // namespace sectile::nn
