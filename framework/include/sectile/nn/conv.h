// Convolution of images and volumes, plain and transposed.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <vector>

#include <torch/nn/module.h>

#include <sectile/nn/activation.h>
#include <sectile/roles.h>

namespace sectile::nn {

// One number for all axes, or one per axis: rows and columns, or depth, rows and columns.
class SECTILE_EXPORT PerAxis final {
 public:
  PerAxis(int all) : values_{all} {}
  PerAxis(std::initializer_list<int> axes) : values_(axes.begin(), axes.end()) {}
  PerAxis(const std::vector<int>& axes) : values_(axes.begin(), axes.end()) {}
  std::vector<std::int64_t> of(int dimensions) const;  // throws PluginError for another number of values

 private:
  std::vector<std::int64_t> values_;
};

class PackedConv;

struct ConvOptions {
  int in_channels;
  int out_channels;
  PerAxis kernel_size;
  PerAxis stride = 1;
  PerAxis padding = 0;      // with zeros, at both ends of each axis
  PerAxis end_padding = 0;  // more zeros at the bottom and right, as in TensorFlow's "same" padding; not if transposed
  PerAxis dilation = 1;
  int groups = 1;
  bool bias = true;
  bool transposed = false;
  PerAxis output_padding = 0;                // if transposed
  int dimensions = 2;                        // 2: images, 3: volumes
  Activation activation = Activation::none;  // of the result; none where a norm follows
};

// The same weights, initial distribution and names as torch.nn's Conv2d, Conv3d, ConvTranspose2d and ConvTranspose3d.
// The constructor throws PluginError for invalid options.
//
// For inference, its weights are converted as the plan says. If a norm follows, the norm does that after folding.
class SECTILE_EXPORT Conv final : public torch::nn::Module, public InferenceForm {
 public:
  explicit Conv(const ConvOptions& options);
  ~Conv() override;

  at::Tensor forward(const at::Tensor& input) const;  // float [N, C, (D,) H, W] → [N, C', (D',) H', W']
  // The same as forward(cat({a, b}, 1)). Saves a and b for the backward pass instead of a copy of both, which in a
  // U-Net is a fifth of the memory that training saves; concatenating them again takes one pass over memory. Not for
  // transposed convolutions.
  at::Tensor forward(const at::Tensor& a, const at::Tensor& b) const;
  // activation(forward(input) + shortcut). See ConvNormAct::forward_added.
  at::Tensor forward_added(const at::Tensor& input, at::Tensor shortcut, Activation activation) const;
  void prepare_for_inference(const InferencePlan& plan) override;

  // Called by a norm that will be folded: preparing for inference then waits for that. Throws PluginError if another
  // norm has called it before, because only one norm can be folded.
  void expect_fold();
  // Changes the output y to activation(y * scale + shift), folded in float64, and converts the result as the plan says.
  // scale, shift: double [C'].
  void fold(const at::Tensor& scale, const at::Tensor& shift, Activation activation, const InferencePlan& plan);
  at::Tensor example_input() const;  // arbitrary values in the weights' type, large enough for a few outputs

  const ConvOptions options;
  at::Tensor weight;  // [C', C / groups, (kD,) kH, kW]; transposed: [C, C' / groups, (kD,) kH, kW]; packed: [0]
  at::Tensor bias;    // [C'], or undefined

 private:
  void keep(const at::Tensor& new_weight, const at::Tensor& new_bias, const InferencePlan& plan);
  at::Tensor convolved(const at::Tensor& input) const;
  at::Tensor padded(const at::Tensor& input) const;

  const std::vector<std::int64_t> kernel_, stride_, padding_, dilation_, output_padding_;
  const std::vector<std::int64_t> end_padding_;  // empty: none
  bool expects_fold_ = false;
  Activation activation_;
  std::shared_ptr<const PackedConv> packed_;  // null: LibTorch's own operators
};

}  // namespace sectile::nn
