#include "feature_pyramid.h"

#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace mask_rcnn {

namespace nn = sectile::nn;

FeaturePyramid::FeaturePyramid(torch::nn::Module& owner, const std::string& path,
                               const std::vector<sectile::FeatureLevel>& levels, int channels, nn::Norm norm) {
  const auto add = [&](std::vector<nn::ConvNormAct>& convs, const std::string& name, int in, int kernel) {
    convs.emplace_back(owner, nn::in_sequence(path + name + std::to_string(convs.size())),
                       nn::ConvNormActOptions{.in_channels = in,
                                              .out_channels = channels,
                                              .kernel_size = kernel,
                                              .padding = kernel / 2,
                                              .norm = norm,
                                              .activation = nn::Activation::none});
  };
  for (const auto& level : levels) {
    add(inner_, ".inner_blocks.", level.channels, 1);
    add(layers_, ".layer_blocks.", channels, 3);
  }
}

std::vector<at::Tensor> FeaturePyramid::forward(const std::vector<at::Tensor>& features) const {
  std::vector<at::Tensor> pyramid(features.size());
  at::Tensor merged;
  for (auto i = features.size(); i-- > 0;) {
    if (!merged.defined())
      merged = inner_[i].forward(features[i]);
    else
      merged = inner_[i].forward_added(features[i],
                                       at::upsample_nearest2d(merged, {features[i].size(2), features[i].size(3)}));
    pyramid[i] = layers_[i].forward(merged);
  }
  pyramid.push_back(at::max_pool2d(pyramid.back(), 1, 2));
  return pyramid;
}

}  // namespace mask_rcnn
