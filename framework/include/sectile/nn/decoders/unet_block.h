// The decoder block of U-Nets with a backbone, as in segmentation_models_pytorch: features are upsampled, the skip
// connection is concatenated, and two 3x3 convolutions follow.
#pragma once

#include <optional>
#include <string>

#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/decoders/scse.h>
#include <sectile/nn/resize.h>

namespace sectile::nn {

enum class Attention { none, scse };

struct UnetBlockOptions {
  int in_channels;
  std::optional<int> skip_channels;  // none: no skip connection; 0: one whose level has no channels
  int out_channels;
  Norm norm = Norm::batch;
  Attention attention = Attention::none;  // after the concatenation, if there is one, and at the end
  Interpolation interpolation = Interpolation::nearest;
};

// Layers of `owner`: <path>.conv1 and .conv2, <path>.attention1 and .attention2. Not a module itself, like ConvNormAct.
class SECTILE_EXPORT UnetBlock final {
 public:
  UnetBlock(torch::nn::Module& owner, const std::string& path, const UnetBlockOptions& options);
  // deeper: float [N, C, h, w], skip: [N, C', H, W] → [N, C'', H, W]
  at::Tensor forward(const at::Tensor& deeper, const at::Tensor& skip) const;
  at::Tensor forward(const at::Tensor& deeper, at::IntArrayRef size) const;  // without a skip connection

 private:
  at::Tensor finish(const at::Tensor& convolved) const;

  Interpolation interpolation_;
  ConvNormAct first_;
  ConvNormAct second_;
  std::optional<Scse> joined_attention_;
  std::optional<Scse> last_attention_;
};

}  // namespace sectile::nn
