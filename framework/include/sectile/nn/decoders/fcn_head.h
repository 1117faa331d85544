// The head of a fully convolutional network (Long, Shelhamer and Darrell 2015, arXiv:1411.4038) as in torchvision,
// which is also the auxiliary head of its networks.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <sectile/backbone.h>
#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

struct FcnHeadOptions {
  int in_channels;
  int classes;
  double dropout = 0.1;  // before the classifier, in training
  double eps = 1e-5;
  double momentum = 0.1;
};

// A 3x3 convolution to a quarter of the channels and a classifier per pixel: layers below `path` in `owner`, with
// torchvision's names <path>.0, <path>.1 and <path>.4. Not a module itself, like ConvNormAct. The owner must outlive
// it.
class SECTILE_EXPORT FcnHead final {
 public:
  FcnHead(torch::nn::Module& owner, const std::string& path, const FcnHeadOptions& options);
  at::Tensor forward(const at::Tensor& features) const;  // float [N, C, H, W] → logits: [N, classes, H, W]

  // Where torchvision puts an auxiliary head: the index of the coarsest level before the last whose stride is at most
  // 8. Throws OptionError for "aux_loss" if there is none.
  static std::size_t auxiliary_level(const std::vector<FeatureLevel>& levels);

 private:
  const torch::nn::Module& level_;  // contains the layers
  ConvNormAct conv_;
  std::shared_ptr<Conv> classifier_;
  double dropout_;
};

}  // namespace sectile::nn
