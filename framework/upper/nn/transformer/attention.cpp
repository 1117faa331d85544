#include <sectile/nn/transformer/attention.h>

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/zeros.h>
#include <torch/nn/init.h>

#include <sectile/error.h>
#include <sectile/nn/inference.h>

namespace sectile::nn {
namespace {

at::Tensor in_heads(const at::Tensor& tokens, int heads) {  // [N, L, C] → [N, heads, L, C / heads]
  return tokens.unflatten(2, {heads, tokens.size(2) / heads}).transpose(1, 2);
}

}  // namespace

at::Tensor attention(const at::Tensor& query, const at::Tensor& key, const at::Tensor& value, int heads) {
  return at::scaled_dot_product_attention(in_heads(query, heads), in_heads(key, heads), in_heads(value, heads))
      .transpose(1, 2)
      .flatten(2);
}

MultiheadAttention::MultiheadAttention(int channels, int heads) : heads_(heads) {
  if (heads < 1 || channels < 1 || channels % heads != 0)
    throw PluginError("attention", "cannot divide " + std::to_string(channels) + " channels among " +
                                       std::to_string(heads) + " heads; give a multiple");
  in_proj_weight = register_parameter("in_proj_weight", at::empty({3 * channels, channels}));
  in_proj_bias = register_parameter("in_proj_bias", at::zeros({3 * channels}));
  torch::nn::init::xavier_uniform_(in_proj_weight);
  out_ = register_module("out_proj", std::make_shared<Linear>(channels, channels));
  torch::nn::init::zeros_(out_->bias);
}
MultiheadAttention::~MultiheadAttention() = default;

at::Tensor MultiheadAttention::forward(const at::Tensor& tokens) const {
  const auto parts = at::linear(tokens, in_proj_weight, in_proj_bias).chunk(3, 2);
  return out_->forward(attention(parts[0], parts[1], parts[2], heads_));
}

void MultiheadAttention::prepare_for_inference(const InferencePlan& plan) {
  const auto projected = [&](const at::Tensor& input) { return at::linear(input, in_proj_weight, in_proj_bias); };
  const auto input = plan.verify ? at::arange(2 * in_proj_weight.size(1), in_proj_weight.options().dtype(at::kDouble))
                                       .sin_()
                                       .view({2, -1})
                                       .to(in_proj_weight.scalar_type())
                                 : at::Tensor();
  const auto before = plan.verify ? projected(input) : at::Tensor();
  in_proj_weight.set_data(planned(in_proj_weight, plan));
  in_proj_bias.set_data(planned(in_proj_bias, plan));
  if (plan.verify)
    require_same("attention", before, projected(input.to(in_proj_weight.device(), in_proj_weight.scalar_type())),
                 plan.precision);
}

}  // namespace sectile::nn
