#include <sectile/nn/transformer/encoder_layer.h>

#include <ATen/ops/full.h>
#include <torch/nn/init.h>

#include <sectile/nn/activation.h>
#include <sectile/nn/names.h>
#include <sectile/nn/stochastic_depth.h>

namespace sectile::nn {
namespace {

constexpr double kDeviation = 0.02;

at::Tensor register_scale(torch::nn::Module& owner, const std::string& path, const EncoderLayerOptions& options) {
  if (path.empty()) return {};
  const auto dot = path.rfind('.');
  auto& level = dot == std::string::npos ? owner : nest(owner, path.substr(0, dot));
  return level.register_parameter(path.substr(dot + 1), at::full({options.channels}, options.layer_scale));
}

}  // namespace

EncoderLayerNames mmsegmentation_layer(const std::string& layer) {
  EncoderLayerNames names;
  names.norm1 = layer + ".ln1";
  names.attention = layer + ".attn.attn";
  names.norm2 = layer + ".ln2";
  names.first = layer + ".ffn.layers.0.0";
  names.second = layer + ".ffn.layers.1";
  return names;
}

EncoderLayer::EncoderLayer(torch::nn::Module& owner, const EncoderLayerNames& names, const EncoderLayerOptions& options)
    : owner_(&owner), heads_(options.heads), drop_path_rate_(options.drop_path_rate) {
  const auto norm = [&](const std::string& path) {
    return register_at(owner, path, std::make_shared<LayerNorm>(options.channels, options.eps));
  };
  const auto linear = [&](const std::string& path, int in, int out) {
    return register_at(owner, path, std::make_shared<Linear>(in, out));
  };
  norm1_ = norm(names.norm1);
  if (names.attention.empty()) {
    query_ = linear(names.query, options.channels, options.channels);
    key_ = linear(names.key, options.channels, options.channels);
    value_ = linear(names.value, options.channels, options.channels);
    out_ = linear(names.out, options.channels, options.channels);
  } else {
    attention_ =
        register_at(owner, names.attention, std::make_shared<MultiheadAttention>(options.channels, options.heads));
  }
  scale1_ = register_scale(owner, names.scale1, options);
  norm2_ = norm(names.norm2);
  first_ = linear(names.first, options.channels, options.hidden_channels);
  second_ = linear(names.second, options.hidden_channels, options.channels);
  scale2_ = register_scale(owner, names.scale2, options);
}

at::Tensor EncoderLayer::attended(const at::Tensor& tokens) const {
  if (attention_) return attention_->forward(tokens);
  return out_->forward(nn::attention(query_->forward(tokens), key_->forward(tokens), value_->forward(tokens), heads_));
}

at::Tensor EncoderLayer::added(const at::Tensor& tokens, at::Tensor branch, const at::Tensor& scale) const {
  if (scale.defined()) branch = branch * scale;
  return tokens + stochastic_depth(branch, drop_path_rate_, owner_->is_training());
}

at::Tensor EncoderLayer::forward(const at::Tensor& tokens) const {
  const auto x = added(tokens, attended(norm1_->forward(tokens)), scale1_);
  const auto hidden = activate(first_->forward(norm2_->forward(x)), Activation::gelu);
  return added(x, second_->forward(hidden), scale2_);
}

void initialize_linear_layers(torch::nn::Module& module) {
  for (const auto& part : module.modules(/*include_self=*/false)) {
    if (const auto* linear = dynamic_cast<const Linear*>(part.get())) {
      torch::nn::init::normal_(linear->weight, 0, kDeviation);
      if (linear->bias.defined()) torch::nn::init::zeros_(linear->bias);
    } else if (const auto* attention = dynamic_cast<const MultiheadAttention*>(part.get())) {
      torch::nn::init::normal_(attention->in_proj_weight, 0, kDeviation);
      torch::nn::init::zeros_(attention->in_proj_bias);
    }
  }
}

}  // namespace sectile::nn
