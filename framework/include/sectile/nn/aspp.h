// Atrous spatial pyramid pooling of DeepLabV3 (Chen et al. 2017, arXiv:1706.05587): convolutions with several dilations
// and the mean over the image, concatenated and projected.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct AsppOptions {
  int in_channels;
  int channels = 256;                         // of each branch, and of the result
  std::vector<int> atrous_rates{12, 24, 36};  // dilations of 3x3 convolutions; empty: only the 1x1 and the mean
  // 3x3 convolutions per channel, followed by 1x1 convolutions, without a norm between them, as in DeepLabV3+ (Chen et
  // al. 2018, arXiv:1802.02611).
  bool separable = false;
  double dropout = 0.5;  // of the result, in training
  Norm norm = Norm::batch;
  double eps = 1e-5;
  double momentum = 0.1;
  bool mean_first = false;  // in what is projected, as in TensorFlow's DeepLab; its name stays that of the last branch
};

// Layers below `path` in `owner`, with torchvision's names: <path>.convs.0.0, <path>.project.1, …; separable ones with
// those of segmentation_models_pytorch. Not a module itself, like ConvNormAct. The owner must outlive it.
class SECTILE_EXPORT Aspp final {
 public:
  Aspp(torch::nn::Module& owner, const std::string& path, const AsppOptions& options);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, H, W] → [N, channels, H, W]

 private:
  struct Branch {
    std::shared_ptr<Conv> depthwise;  // null: not separable
    ConvNormAct conv;
  };

  const torch::nn::Module& level_;  // contains the layers
  std::vector<Branch> branches_;    // the last one is that of the mean
  ConvNormAct project_;
  double dropout_;
  bool mean_first_;
};

}  // namespace sectile::nn
