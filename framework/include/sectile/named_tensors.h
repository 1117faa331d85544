// The tensors of a file of weights, and what a dialect does to them.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include <sectile/torch_abi.h>

namespace sectile {

// Patterns are whole names in which * stands for any characters, as few as possible. What each * stood for takes the
// place of the same-numbered * of the target: "layers.*.qkv.weight" → "blocks.*.q.weight". A target with more of them
// throws std::invalid_argument.
//
// Nothing is lost: a tensor that cannot be split so, parts that cannot be joined, and names that would be two tensors'
// stay as they are, and the host tells the user that the network does not know them. Dimensions count from 0.
class SECTILE_EXPORT NamedTensors {
 public:
  explicit NamedTensors(std::map<std::string, at::Tensor> tensors);

  void rename(const std::string& from, const std::string& to);
  // Into equal parts: ("*.qkv.weight", 0, {"*.q.weight", "*.k.weight", "*.v.weight"}).
  void split(const std::string& from, std::int64_t dim, const std::vector<std::string>& to);
  // The inverse. What each * stands for is found by the first of the names.
  void join(const std::vector<std::string>& from, std::int64_t dim, const std::string& to);
  void drop(const std::string& pattern);  // what the network has no use for

  std::map<std::string, at::Tensor>& tensors() { return tensors_; }  // for anything else

 private:
  std::map<std::string, at::Tensor> tensors_;
};

// The weight [O, I, …] of a first convolution, for another number of channels: to 1 they are summed; from 3 (or 1) to n
// they are repeated and scaled by 3/n (1/n), so that features keep their size. As timm's adapt_input_conv does
// (huggingface/pytorch-image-models, timm/models/_manipulate.py). Undefined for any other change.
SECTILE_EXPORT at::Tensor adapt_input_channels(const at::Tensor& weight, std::int64_t channels);

}  // namespace sectile
