// The feature pyramid of detectors (Lin et al. 2016, arXiv:1612.03144), with torchvision's names.
#pragma once

#include <memory>
#include <vector>

#include <sectile/backbone.h>
#include <sectile/nn/conv_norm_act.h>

namespace mask_rcnn {

class FeaturePyramid final {
 public:
  // levels: of the backbone, finest first. norm: after each convolution, or none.
  FeaturePyramid(torch::nn::Module& owner, const std::string& path, const std::vector<sectile::FeatureLevel>& levels,
                 int channels, sectile::nn::Norm norm);
  // As many levels, and one more of half the last one's size.
  std::vector<at::Tensor> forward(const std::vector<at::Tensor>& features) const;

 private:
  std::vector<sectile::nn::ConvNormAct> inner_, layers_;
};

}  // namespace mask_rcnn
