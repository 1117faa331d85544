// Spatial and channel squeeze and excitation (Roy, Navab and Wachinger 2018, arXiv:1808.08127), as in
// segmentation_models_pytorch.
#pragma once

#include <memory>
#include <string>

#include <sectile/nn/conv_norm_act.h>

namespace sectile::nn {

// Layers of `owner`: <path>.cSE.1 and .3, <path>.sSE.0. Not a module itself, like ConvNormAct. Throws PluginError for
// fewer channels than `reduction`.
class SECTILE_EXPORT Scse final {
 public:
  Scse(torch::nn::Module& owner, const std::string& path, int channels, int reduction = 16);
  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, H, W] → the same shape

 private:
  ConvNormAct squeeze_;
  ConvNormAct excite_;
  ConvNormAct spatial_;
};

}  // namespace sectile::nn
