// The tensors of a weights file, and operations to convert them to other names and layouts.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile {

// Patterns match whole names; * matches any characters, as few as possible. The text that the n-th * matched replaces
// the n-th * of the target: "layers.*.qkv.weight" → "blocks.*.q.weight". A target with more * than the pattern throws
// std::invalid_argument.
//
// No tensor is lost: tensors that cannot be split or joined as requested, and tensors whose new names would clash, are
// unchanged, and the host reports them as unknown to the network. Dimensions count from 0.
class SECTILE_EXPORT NamedTensors {
 public:
  explicit NamedTensors(std::map<std::string, at::Tensor> tensors);

  void rename(const std::string& from, const std::string& to);
  // Into equal parts: ("*.qkv.weight", 0, {"*.q.weight", "*.k.weight", "*.v.weight"}).
  void split(const std::string& from, std::int64_t dim, const std::vector<std::string>& to);
  // The inverse of split. The first name determines what each * matches.
  void join(const std::vector<std::string>& from, std::int64_t dim, const std::string& to);
  void drop(const std::string& pattern);  // tensors that the network does not use

  std::map<std::string, at::Tensor>& tensors() { return tensors_; }  // for anything else

 private:
  std::map<std::string, at::Tensor> tensors_;
};

// Adapts the weight [O, I, …] of a first convolution to another number of channels: to 1 they are summed; from 3 (or 1)
// to n they are repeated and scaled by 3/n (1/n), so that features keep their magnitude. As timm's adapt_input_conv
// does (huggingface/pytorch-image-models, timm/models/_manipulate.py). Undefined for any other change.
SECTILE_EXPORT at::Tensor adapt_input_channels(const at::Tensor& weight, std::int64_t channels);

}  // namespace sectile
