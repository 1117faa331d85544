// Group norm, scSE attention and the blocks of decoders, against their formulas.
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <sectile/error.h>
#include <sectile/nn/decoders/scse.h>
#include <sectile/nn/decoders/unet_block.h>
#include <sectile/nn/group_norm.h>

#include "nn_support.h"

using namespace sectile;
using namespace sectile::test;

namespace {

void fill_group_norm(nn::GroupNorm& norm) {
  const c10::AutoGradMode no_grad(false);
  norm.weight.copy_(image_of({norm.options.channels}) + 1);
  norm.bias.copy_(image_of({norm.options.channels}) * 2);
}

}  // namespace

TEST_CASE("group norm is that of its formula, with its activation") {
  nn::GroupNorm norm({.channels = 6, .groups = 3, .eps = 1e-3, .activation = nn::Activation::relu});
  CHECK(norm.named_parameters().keys() == std::vector<std::string>{"weight", "bias"});
  fill_group_norm(norm);
  norm.to(at::kDouble);
  const auto x = image_of({2, 6, 5, 7}, at::kDouble);
  const auto grouped = x.view({2, 3, -1});
  const auto centred = grouped - grouped.mean(2, true);
  const auto y = (centred / (centred.square().mean(2, true) + 1e-3).sqrt()).view(x.sizes());
  const auto expected = (y * norm.weight.view({1, 6, 1, 1}) + norm.bias.view({1, 6, 1, 1})).clamp_min(0);
  CHECK(furthest(expected, norm.forward(x)) < 1e-12);
  const auto volume = image_of({1, 6, 3, 4, 5}, at::kDouble);
  CHECK(norm.forward(volume).sizes() == volume.sizes());
}

TEST_CASE("group norm's inference form answers the same, in the plan's precision, without going back to float32") {
  const c10::AutoGradMode no_grad(false);
  for (const auto format : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
    nn::GroupNorm norm({.channels = 8, .groups = 2});
    fill_group_norm(norm);
    const auto x = image_of({2, 8, 6, 6}).contiguous(format);
    const auto before = norm.forward(x);
    const InferencePlan plan{.precision = at::kBFloat16, .format = format, .verify = true};
    norm.prepare_for_inference(plan);
    norm.prepare_for_inference(plan);
    CHECK((norm.weight.scalar_type() == at::kBFloat16));
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const auto after = norm.forward(x.to(at::kBFloat16));
    at::autocast::set_autocast_enabled(at::kCPU, false);
    CHECK((after.scalar_type() == at::kBFloat16));
    CHECK(furthest(before, after) < 2e-2);
  }
}

TEST_CASE("group norm refuses groups that do not divide the channels") {
  CHECK_THROWS_WITH_AS(nn::GroupNorm({.channels = 48}),
                       doctest::Contains("cannot divide 48 channels into 32 groups; give a multiple"), PluginError);
}

TEST_CASE("scSE attention is that of its formula") {
  torch::nn::Module owner;
  const nn::Scse attention(owner, "a", 32);
  CHECK(owner.named_parameters().keys() == std::vector<std::string>{"a.cSE.1.weight", "a.cSE.1.bias", "a.cSE.3.weight",
                                                                    "a.cSE.3.bias", "a.sSE.0.weight", "a.sSE.0.bias"});
  owner.to(at::kDouble);
  auto weights = owner.named_parameters();
  const auto through = [&](const at::Tensor& x, const std::string& layer) {
    return at::conv2d(x, weights[layer + ".weight"], weights[layer + ".bias"]);
  };
  const auto x = image_of({2, 32, 5, 7}, at::kDouble);
  const auto squeezed = at::relu(through(at::adaptive_avg_pool2d(x, {1, 1}), "a.cSE.1"));
  CHECK(squeezed.size(1) == 2);
  const auto expected = x * through(squeezed, "a.cSE.3").sigmoid() + x * through(x, "a.sSE.0").sigmoid();
  CHECK(furthest(expected, attention.forward(x)) < 1e-12);
  CHECK_THROWS_WITH_AS(nn::Scse(owner, "b", 15), doctest::Contains("of 15 channels cannot reduce them by 16"),
                       PluginError);
}

TEST_CASE("a U-Net's block upsamples to its skip connection, or to a size, and has attention where it is used") {
  torch::nn::Module owner;
  const nn::UnetBlock joined(
      owner, "joined", {.in_channels = 16, .skip_channels = 4, .out_channels = 16, .attention = nn::Attention::scse});
  const nn::UnetBlock alone(
      owner, "alone",
      {.in_channels = 16, .skip_channels = std::nullopt, .out_channels = 16, .attention = nn::Attention::scse});
  CHECK(joined.forward(image_of({1, 16, 3, 4}), image_of({1, 4, 5, 8})).sizes() == at::IntArrayRef({1, 16, 5, 8}));
  CHECK(alone.forward(image_of({1, 16, 3, 4}), {7, 7}).sizes() == at::IntArrayRef({1, 16, 7, 7}));
  const auto names = owner.named_parameters();
  CHECK(names.contains("joined.attention1.attention.cSE.1.weight"));
  CHECK(names.contains("alone.attention2.attention.cSE.1.weight"));
  CHECK_FALSE(names.contains("alone.attention1.attention.cSE.1.weight"));
  CHECK(names["joined.conv1.0.weight"].sizes() == at::IntArrayRef({16, 20, 3, 3}));
}

TEST_CASE("resizing takes the nearest pixel, or interpolates between centers") {
  const auto x = at::tensor({1.0, 3.0}, at::kDouble).view({1, 1, 1, 2});
  CHECK(at::equal(nn::resize(x, {1, 4}, nn::Interpolation::nearest).flatten(),
                  at::tensor({1.0, 1.0, 3.0, 3.0}, at::kDouble)));
  CHECK(at::equal(nn::resize(x, {1, 4}, nn::Interpolation::bilinear).flatten(),
                  at::tensor({1.0, 1.5, 2.5, 3.0}, at::kDouble)));
  CHECK(nn::resize(x, {1, 2}, nn::Interpolation::bilinear).is_same(x));
}
