// Layers of transformers against formulas and torch's own (tests/parity/position_embedding.py).
#include <cmath>
#include <fstream>

#include <ATen/ATen.h>

#include <sectile/error.h>
#include <sectile/nn/transformer/encoder_layer.h>
#include <sectile/nn/transformer/position_embedding.h>
#include <sectile/nn/transformer/tokens.h>

#include "nn_support.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

at::Tensor tokens_by_formula(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  return at::arange(count, at::kDouble).mul_(0.37).sin_().view(shape).to(type);
}

nn::EncoderLayerNames layer_names(bool joined, bool scaled = false) {
  nn::EncoderLayerNames names;
  names.norm1 = "norm1";
  if (joined) names.attention = "attn";
  names.query = "q", names.key = "k", names.value = "v", names.out = "out";
  names.norm2 = "norm2";
  names.first = "mlp.fc1", names.second = "mlp.fc2";
  if (scaled) names.scale1 = "ls1.gamma", names.scale2 = "ls2.gamma";
  return names;
}

struct OneLayer final : torch::nn::Module {
  OneLayer(const nn::EncoderLayerNames& names, const nn::EncoderLayerOptions& options) : layer(*this, names, options) {
    fill_by_name(*this);
    eval();
  }
  nn::EncoderLayer layer;
};

}  // namespace

TEST_CASE("layer norm is that of torch, with the eps that it is given") {
  const auto x = at::tensor({0.001, 0.003, -0.002, 0.0}, at::kDouble).view({1, 4});
  // By hand: the mean is 0.0005, the variance 3.25e-6.
  for (const double eps : {1e-5, 1e-6, 1e-12}) {
    nn::LayerNorm norm(4, eps);
    norm.to(at::kDouble);
    const auto wanted = (x - 0.0005) / std::sqrt(3.25e-6 + eps);
    CHECK(furthest(wanted, norm.forward(x)) < 1e-12);
  }
  nn::LayerNorm usual(4), other(4, 1e-6);
  CHECK(usual.eps == 1e-5);
  CHECK(furthest(usual.forward(x.to(at::kFloat)), other.forward(x.to(at::kFloat))) > 0.5);
}

TEST_CASE("attention is softmax(q k' / sqrt(d)) v of each head") {
  for (const auto type : {at::kFloat, at::kDouble}) {
    const auto q = tokens_by_formula({2, 5, 6}, type), k = tokens_by_formula({2, 7, 6}, type) * 2,
               v = tokens_by_formula({2, 7, 6}, type) + 1;
    for (const int heads : {1, 3}) {
      std::vector<at::Tensor> parts;
      const std::int64_t d = 6 / heads;
      for (int head = 0; head < heads; ++head) {
        const auto of_head = [&](const at::Tensor& x) { return x.narrow(2, head * d, d).to(at::kDouble); };
        const auto scores = at::matmul(of_head(q), of_head(k).transpose(1, 2)) / std::sqrt(static_cast<double>(d));
        parts.push_back(at::matmul(scores.softmax(2), of_head(v)));
      }
      CHECK(furthest(at::cat(parts, 2), nn::attention(q, k, v, heads)) < precise(type));
    }
  }
}

TEST_CASE("multi-head attention has torch's names and order of query, key and value") {
  nn::MultiheadAttention module(6, 2);
  fill_by_name(module);
  CHECK(module.named_parameters().keys() ==
        std::vector<std::string>{"in_proj_weight", "in_proj_bias", "out_proj.weight", "out_proj.bias"});
  const auto x = tokens_by_formula({2, 5, 6});
  const auto part = [&](std::int64_t i) {
    return at::linear(x, module.in_proj_weight.narrow(0, 6 * i, 6), module.in_proj_bias.narrow(0, 6 * i, 6));
  };
  const auto parameters = module.named_parameters();
  const auto wanted = at::linear(nn::attention(part(0), part(1), part(2), 2), parameters["out_proj.weight"],
                                 parameters["out_proj.bias"]);
  CHECK(furthest(wanted, module.forward(x)) < 1e-6);
  CHECK_THROWS_WITH_AS(nn::MultiheadAttention(6, 4), doctest::Contains("cannot divide 6 channels among 4 heads"),
                       PluginError);
  CHECK_THROWS_AS(nn::MultiheadAttention(6, 0), PluginError);
}

TEST_CASE("an encoder layer normalizes first, and answers the same with joined and separate weights") {
  OneLayer joined(layer_names(true), {.channels = 6, .heads = 2, .hidden_channels = 12});
  OneLayer separate(layer_names(false), {.channels = 6, .heads = 2, .hidden_channels = 12});
  const c10::AutoGradMode no_grad(false);
  const auto p = joined.named_parameters();
  const auto q = separate.named_parameters();
  std::int64_t i = 0;
  for (const auto* name : {"q", "k", "v"}) {
    q[std::string(name) + ".weight"].copy_(p["attn.in_proj_weight"].narrow(0, 6 * i, 6));
    q[std::string(name) + ".bias"].copy_(p["attn.in_proj_bias"].narrow(0, 6 * i++, 6));
  }
  q["out.weight"].copy_(p["attn.out_proj.weight"]);
  q["out.bias"].copy_(p["attn.out_proj.bias"]);
  const auto x = tokens_by_formula({2, 5, 6});
  CHECK(furthest(joined.layer.forward(x), separate.layer.forward(x)) < 1e-6);

  const auto norm = [&](const at::Tensor& t, const std::string& name) {
    return at::layer_norm(t, {6}, p[name + ".weight"], p[name + ".bias"], 1e-6);
  };
  const auto in = at::linear(norm(x, "norm1"), p["attn.in_proj_weight"], p["attn.in_proj_bias"]).chunk(3, 2);
  const auto y =
      x + at::linear(nn::attention(in[0], in[1], in[2], 2), p["attn.out_proj.weight"], p["attn.out_proj.bias"]);
  const auto hidden = at::gelu(at::linear(norm(y, "norm2"), p["mlp.fc1.weight"], p["mlp.fc1.bias"]));
  const auto wanted = y + at::linear(hidden, p["mlp.fc2.weight"], p["mlp.fc2.bias"]);
  CHECK(furthest(wanted, joined.layer.forward(x)) < 1e-6);
}

TEST_CASE("an encoder layer scales its branches, and drops them in training only") {
  OneLayer scaled(layer_names(true, true), {.channels = 6, .heads = 2, .hidden_channels = 12, .layer_scale = 0.25});
  const c10::AutoGradMode no_grad(false);
  const auto parameters = scaled.named_parameters();
  const auto x = tokens_by_formula({64, 5, 6});
  CHECK(parameters["ls1.gamma"].sizes() == at::IntArrayRef({6}));
  parameters["ls1.gamma"].zero_(), parameters["ls2.gamma"].zero_();
  CHECK(at::equal(scaled.layer.forward(x), x));
  OneLayer dropped(layer_names(true), {.channels = 6, .heads = 2, .hidden_channels = 12, .drop_path_rate = 0.9});
  CHECK(at::equal(dropped.layer.forward(x), dropped.layer.forward(x)));
  dropped.train();
  at::manual_seed(1);
  const auto kept = (dropped.layer.forward(x) != x).flatten(1).any(1).sum().item<std::int64_t>();
  CHECK(kept > 2);  // an image keeps one of its two branches with probability 0.19
  CHECK(kept < 30);
}

TEST_CASE("tokens are the pixels of a map in row-major order, in the same memory with channels last") {
  const auto map = tokens_by_formula({2, 3, 4, 5});
  const auto tokens = nn::tokens_of(map);
  CHECK(tokens.sizes() == at::IntArrayRef({2, 20, 3}));
  CHECK(tokens[1][7][2].item<float>() == map[1][2][1][2].item<float>());
  CHECK(at::equal(nn::map_of(tokens, 4, 5), map));
  const auto last = map.contiguous(at::MemoryFormat::ChannelsLast);
  CHECK(nn::tokens_of(last).data_ptr() == last.data_ptr());
  CHECK(nn::map_of(nn::tokens_of(last), 4, 5).is_contiguous(at::MemoryFormat::ChannelsLast));
}

TEST_CASE("layers of transformers prepared for inference answer the same, in float32 and bfloat16") {
  const c10::AutoGradMode no_grad(false);
  for (const auto precision : {at::kFloat, at::kBFloat16})
    for (const bool joined : {true, false}) {
      OneLayer one(layer_names(joined, true), {.channels = 64, .heads = 2, .hidden_channels = 128});
      const auto x = tokens_by_formula({2, 9, 64});
      const auto before = one.layer.forward(x);
      prepare_for_inference(one, {.precision = precision, .verify = true});
      const auto parameters = one.named_parameters();
      CHECK((parameters["norm1.weight"].scalar_type() == precision));
      CHECK((parameters["mlp.fc1.weight"].scalar_type() == precision));
      if (precision == at::kFloat) CHECK(furthest(before, one.layer.forward(x)) < 1e-6);
    }
}

TEST_CASE("position embeddings are resized as each tool resizes them") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/position_embedding.json");
  const auto all = Json::parse(file);
  REQUIRE(all.size() > 10);
  for (const auto& one : all) {
    const auto prefix = one["prefix"].get<std::int64_t>(), side = one["side"].get<std::int64_t>();
    const auto size = one["size"].get<std::vector<std::int64_t>>();
    const auto name = one["interpolate"].get<std::string>();
    CAPTURE(one["tool"].get<std::string>());
    CAPTURE(name);
    CAPTURE(size);
    const auto how = name == "bicubic"    ? nn::PositionResize::bicubic
                     : name == "bilinear" ? nn::PositionResize::bilinear
                                          : nn::PositionResize::bicubic_antialias;
    const auto hash = fnv1a("position embeddings");
    std::vector<double> numbers(static_cast<std::size_t>((prefix + side * side) * 2));
    for (std::size_t i = 0; i < numbers.size(); ++i) numbers[i] = uniform(hash, static_cast<std::int64_t>(i));
    const auto positions = at::from_blob(numbers.data(), {1, prefix + side * side, 2}, at::kDouble).clone();
    auto values = one["values"].get<std::vector<double>>();
    const auto wanted = at::from_blob(values.data(), {1, prefix + size[0] * size[1], 2}, at::kDouble).clone();
    CHECK(furthest(wanted, nn::resize_positions(positions, prefix, size[0], size[1], how)) < 1e-9);
    const auto single = nn::resize_positions(positions.to(at::kFloat), prefix, size[0], size[1], how);
    CHECK(furthest(wanted, single) < 1e-5);
  }
}

TEST_CASE("position embeddings that are no square are refused, and squares are recognized") {
  for (std::int64_t n = 1; n < 2000; ++n) CHECK(nn::side_of_square(n * n) == n);
  for (const std::int64_t count : {2, 3, 5, 8, 195, 197}) CHECK(nn::side_of_square(count) == 0);
  CHECK_THROWS_WITH_AS(nn::resize_positions(at::zeros({1, 8, 2}), 1, 3, 3, nn::PositionResize::bicubic),
                       doctest::Contains("has 7 positions"), PluginError);
  CHECK_THROWS_AS(nn::resize_positions(at::zeros({1, 1, 2}), 1, 3, 3, nn::PositionResize::bicubic), PluginError);
}
