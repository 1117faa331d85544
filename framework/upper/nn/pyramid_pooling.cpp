#include <sectile/nn/pyramid_pooling.h>

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>

#include <sectile/error.h>
#include <sectile/nn/resize.h>

namespace sectile::nn {

PyramidPooling::PyramidPooling(torch::nn::Module& owner, const std::vector<Names>& names,
                               const PyramidPoolingOptions& options)
    : pool_scales_(options.pool_scales), align_corners_(options.align_corners) {
  if (names.size() != pool_scales_.size())
    throw PluginError("pyramid pooling", "was given " + std::to_string(names.size()) + " names for " +
                                             std::to_string(pool_scales_.size()) + " scales; give one for each");
  for (const auto& scale : names)
    stages_.emplace_back(owner, scale,
                         ConvNormActOptions{.in_channels = options.in_channels,
                                            .out_channels = options.channels,
                                            .kernel_size = 1,
                                            .norm = options.norm,
                                            .eps = options.eps,
                                            .momentum = options.momentum,
                                            .activation = options.activation});
}

at::Tensor PyramidPooling::forward(const at::Tensor& input) const {
  std::vector<at::Tensor> parts{input};
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto pooled = at::adaptive_avg_pool2d(input, {pool_scales_[i], pool_scales_[i]});
    parts.push_back(resize_like(stages_[i].forward(pooled), input, align_corners_));
  }
  return at::cat(parts, 1);
}

}  // namespace sectile::nn
