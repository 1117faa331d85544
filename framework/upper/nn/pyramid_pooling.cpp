#include <sectile/nn/pyramid_pooling.h>

#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/cat.h>

#include <sectile/nn/resize.h>

namespace sectile::nn {

PyramidPooling::PyramidPooling(const PyramidPoolingOptions& options) : options_(options) {
  for (std::size_t i = 0; i < options.pool_scales.size(); ++i) {
    const auto stage = register_module(std::to_string(i), std::make_shared<torch::nn::Module>("Sequential"));
    stages_.push_back(
        stage->register_module("1", std::make_shared<ConvNormAct>(ConvNormActOptions{.in_channels = options.in_channels,
                                                                                     .out_channels = options.channels,
                                                                                     .kernel_size = 1,
                                                                                     .momentum = options.momentum})));
  }
}
PyramidPooling::~PyramidPooling() = default;

at::Tensor PyramidPooling::forward(const at::Tensor& input) {
  std::vector<at::Tensor> parts{input};
  for (std::size_t i = 0; i < stages_.size(); ++i) {
    const auto pooled = at::adaptive_avg_pool2d(input, {options_.pool_scales[i], options_.pool_scales[i]});
    parts.push_back(resize_like(stages_[i]->forward(pooled), input, options_.align_corners));
  }
  return at::cat(parts, 1);
}

}  // namespace sectile::nn
