// Convolution of images and volumes, plain and transposed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include <torch/nn/module.h>

#include <sectile/roles.h>

namespace sectile::nn {

// A number for all axes, or one for each: rows and columns, or depth, rows and columns.
class SECTILE_EXPORT PerAxis final {
 public:
  PerAxis(int all) : values_{all} {}
  PerAxis(std::initializer_list<int> axes) : values_(axes.begin(), axes.end()) {}
  PerAxis(const std::vector<int>& axes) : values_(axes.begin(), axes.end()) {}
  std::vector<std::int64_t> of(int dimensions) const;  // throws PluginError where there are neither one nor so many

 private:
  std::vector<std::int64_t> values_;
};

struct ConvOptions {
  int in_channels;
  int out_channels;
  PerAxis kernel_size;
  PerAxis stride = 1;
  PerAxis padding = 0;  // with zeros
  PerAxis dilation = 1;
  int groups = 1;
  bool bias = true;
  bool transposed = false;
  PerAxis output_padding = 0;  // of a transposed one
  int dimensions = 2;          // 2: images, 3: volumes
};

// The same weights, initial distribution and names as torch.nn's Conv2d, Conv3d, ConvTranspose2d and ConvTranspose3d.
// The constructor throws PluginError for options that no convolution can have.
//
// In inference its weights lie as the plan wants them. Where a norm follows, the norm does that, after folding itself
// in.
class SECTILE_EXPORT Conv final : public torch::nn::Module, public InferenceForm {
 public:
  explicit Conv(const ConvOptions& options);
  ~Conv() override;

  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, (D,) H, W] → [N, C', (D',) H', W']
  // Of both, joined along their channels: the same as forward(cat({a, b}, 1)). Remembers a and b for the way back
  // instead of a copy of both, which in a U-Net is a fifth of what training remembers; joining them again costs one
  // pass over memory. Not for transposed ones.
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b) const;
  void prepare_for_inference(const InferencePlan& plan) override;

  // For a norm that will fold itself in: from now on preparing for inference waits for that. Throws PluginError where
  // another norm has said so before, because weights can take in one norm only.
  void expect_fold();
  // Makes the answer y into y * scale + shift, in float64, and casts the result as the plan wants it. Both: double
  // [C'].
  void fold(const at::Tensor& scale, const at::Tensor& shift, const InferencePlan& plan);
  at::Tensor example_input() const;  // made-up values in the weights' type, large enough for a few outputs

  const ConvOptions options;
  at::Tensor weight;  // [C', C / groups, (kD,) kH, kW]; transposed: [C, C' / groups, (kD,) kH, kW]
  at::Tensor bias;    // [C'], or undefined

 private:
  void keep(const at::Tensor& new_weight, const at::Tensor& new_bias, const InferencePlan& plan);

  const std::vector<std::int64_t> kernel_, stride_, padding_, dilation_, output_padding_;
  bool expects_fold_ = false;
};

}  // namespace sectile::nn
