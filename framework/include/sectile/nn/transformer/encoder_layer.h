// The layer of a transformer's encoder that normalizes first, as in vision transformers (Dosovitskiy et al. 2020,
// arXiv:2010.11929): attention and a perceptron with GELU, each behind a layer norm and beside a shortcut.
#pragma once

#include <memory>
#include <string>

#include <sectile/nn/linear.h>
#include <sectile/nn/transformer/attention.h>
#include <sectile/nn/transformer/layer_norm.h>

namespace sectile::nn {

// Paths below the owner.
struct EncoderLayerNames {
  std::string norm1;
  std::string attention;  // a MultiheadAttention; or, if empty, four linear layers:
  std::string query, key, value, out;
  std::string norm2;
  std::string first, second;   // linear layers of the perceptron
  std::string scale1, scale2;  // parameters that scale each branch (LayerScale); empty: none
};

// <layer>.ln1, .attn.attn, .ln2 and .ffn.layers, as in MMSegmentation.
SECTILE_EXPORT EncoderLayerNames mmsegmentation_layer(const std::string& layer);

struct EncoderLayerOptions {
  int channels;
  int heads;
  int hidden_channels;  // of the perceptron
  double eps = 1e-6;
  double drop_path_rate = 0;
  double layer_scale = 1;  // initial value (Touvron et al. 2021, arXiv:2103.17239), where the names have one
};

// Layers of `owner`. Not a module itself, like ConvNormAct. Copies share the layers.
class SECTILE_EXPORT EncoderLayer final {
 public:
  EncoderLayer(torch::nn::Module& owner, const EncoderLayerNames& names, const EncoderLayerOptions& options);
  at::Tensor forward(const at::Tensor& tokens) const;  // float [N, L, C] → the same shape

 private:
  at::Tensor attended(const at::Tensor& tokens) const;
  at::Tensor added(const at::Tensor& tokens, at::Tensor branch, const at::Tensor& scale) const;

  const torch::nn::Module* owner_;  // contains the layers
  std::shared_ptr<LayerNorm> norm1_, norm2_;
  std::shared_ptr<MultiheadAttention> attention_;  // null: the four layers
  std::shared_ptr<Linear> query_, key_, value_, out_;
  std::shared_ptr<Linear> first_, second_;
  at::Tensor scale1_, scale2_;  // [C], or undefined
  int heads_;
  double drop_path_rate_;
};

// As in timm and MMSegmentation: weights of linear layers normal with deviation 0.02, their biases 0. Of all that are
// inside.
SECTILE_EXPORT void initialize_linear_layers(torch::nn::Module& module);

}  // namespace sectile::nn
