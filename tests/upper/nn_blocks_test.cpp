// The blocks built from layers, the names of what they register, and resizing by hand-computed numbers.
#include <ATen/ATen.h>

#include <sectile/error.h>
#include <sectile/nn/depthwise_separable_conv.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/pyramid_pooling.h>
#include <sectile/nn/resize.h>
#include <sectile/nn/squeeze_excitation.h>

#include "nn_support.h"

using namespace sectile;
using namespace sectile::test;

TEST_CASE("layers get the names of their paths, and levels that are there are found again") {
  torch::nn::Module owner;
  auto& level = nn::nest(owner, "down1.maxpool_conv.1");
  CHECK(&nn::nest(owner, "down1.maxpool_conv.1") == &level);
  CHECK(&nn::nest(nn::nest(owner, "down1"), "maxpool_conv.1") == &level);
  CHECK(&nn::nest(owner, "") == &owner);
  const auto conv = [] {
    return std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = 1, .out_channels = 1, .kernel_size = 1});
  };
  nn::register_at(owner, "down1.maxpool_conv.1.double_conv.0", conv());
  nn::register_at(owner, "out", conv());
  CHECK(owner.named_parameters().keys() == std::vector<std::string>{"down1.maxpool_conv.1.double_conv.0.weight",
                                                                    "down1.maxpool_conv.1.double_conv.0.bias",
                                                                    "out.weight", "out.bias"});
  CHECK_THROWS_AS(nn::register_at(owner, "out", conv()), c10::Error);
  CHECK(nn::conv_bn("a.b").norm == "a.b.bn");
  CHECK(nn::conv_bn("").conv == "conv");
  CHECK(nn::in_sequence("a", 3).conv == "a.3");
  CHECK(nn::in_sequence("").norm == "1");
}

TEST_CASE("a block without norm has a bias, and one without activation lets negative values through") {
  torch::nn::Module owner;
  const nn::ConvNormAct block(owner, nn::conv_bn("bare"),
                              {.in_channels = 3,
                               .out_channels = 5,
                               .kernel_size = 1,
                               .norm = nn::Norm::none,
                               .activation = nn::Activation::none});
  CHECK(owner.named_parameters().keys() == std::vector<std::string>{"bare.conv.weight", "bare.conv.bias"});
  CHECK(block.forward(image_of({1, 3, 8, 8})).min().item<float>() < 0);
  for (const auto norm : {nn::Norm::none, nn::Norm::batch, nn::Norm::frozen_batch}) {
    torch::nn::Module other;
    const nn::ConvNormAct activated(other, nn::conv_bn(""),
                                    {.in_channels = 3, .out_channels = 5, .kernel_size = 1, .norm = norm});
    CHECK(activated.forward(image_of({1, 3, 8, 8})).min().item<float>() == 0);
    CHECK(other.named_parameters().contains("conv.bias") == (norm == nn::Norm::none));
    CHECK(other.parameters().size() == (norm == nn::Norm::frozen_batch ? 1 : norm == nn::Norm::batch ? 3 : 2));
  }
}

TEST_CASE("a block passes every option to its layers, and takes volumes") {
  torch::nn::Module owner;
  const nn::ConvNormAct block(owner, {"a.0", "a.1"},
                              {.in_channels = 4,
                               .out_channels = 6,
                               .kernel_size = {1, 3, 3},
                               .stride = {1, 2, 2},
                               .padding = {0, 2, 2},
                               .dilation = {1, 2, 2},
                               .groups = 2,
                               .dimensions = 3,
                               .bias = true,
                               .eps = 1e-3,
                               .momentum = 0.5});
  CHECK(owner.named_parameters()["a.0.weight"].sizes() == at::IntArrayRef({6, 2, 1, 3, 3}));
  CHECK(owner.named_parameters().contains("a.0.bias"));
  CHECK(block.forward(image_of({2, 4, 3, 9, 7})).sizes() == at::IntArrayRef({2, 6, 3, 5, 4}));
  const auto* norm = dynamic_cast<nn::BatchNorm*>(&nn::nest(owner, "a.1"));
  REQUIRE(norm);
  CHECK(norm->options.eps == 1e-3);
  CHECK(norm->options.momentum == 0.5);
}

TEST_CASE("an inverted residual block has a shortcut where the shape stays, and only there") {
  const nn::InvertedResidualNames names{nn::conv_bn("0"), nn::conv_bn("1"), nn::conv_bn("2")};
  const auto is_identity_without_weights = [&](const nn::InvertedResidualOptions& options) {
    torch::nn::Module owner;
    const nn::InvertedResidual block(owner, names, options);
    const c10::AutoGradMode no_grad(false);
    for (auto& parameter : owner.parameters()) parameter.zero_();
    const auto image = image_of({1, 4, 6, 6});
    const auto answer = block.forward(image);
    return answer.sizes() == image.sizes() && at::equal(answer, image);
  };
  CHECK(is_identity_without_weights({.in_channels = 4, .out_channels = 4}));
  CHECK(is_identity_without_weights({.in_channels = 4, .out_channels = 4, .kernel_size = 5, .dilation = 2}));
  CHECK_FALSE(is_identity_without_weights({.in_channels = 4, .out_channels = 4, .shortcut = false}));
  CHECK_FALSE(is_identity_without_weights({.in_channels = 4, .out_channels = 8}));
  CHECK_FALSE(is_identity_without_weights({.in_channels = 4, .out_channels = 4, .stride = 2}));
  const auto sizes = [&](const nn::InvertedResidualOptions& options) {
    torch::nn::Module owner;
    const nn::InvertedResidual block(owner, names, options);
    return std::pair(owner.children().size(), owner.named_parameters()["1.conv.weight"].size(0));
  };
  CHECK(sizes({.in_channels = 4, .out_channels = 4}) == std::pair(std::size_t{3}, std::int64_t{24}));
  CHECK(sizes({.in_channels = 4, .out_channels = 4, .expand_ratio = 1}) == std::pair(std::size_t{2}, std::int64_t{4}));
  CHECK(sizes({.in_channels = 4, .out_channels = 4, .hidden_channels = 10}) ==
        std::pair(std::size_t{3}, std::int64_t{10}));
}

TEST_CASE("a depthwise separable convolution is one per channel, then one per pixel") {
  torch::nn::Module owner;
  const nn::DepthwiseSeparableConv block(owner, {nn::conv_bn("depthwise"), nn::in_sequence("pointwise")},
                                         {.in_channels = 4, .out_channels = 8, .stride = 2, .dilation = 2});
  CHECK(owner.named_parameters()["depthwise.conv.weight"].sizes() == at::IntArrayRef({4, 1, 3, 3}));
  CHECK(owner.named_parameters()["pointwise.0.weight"].sizes() == at::IntArrayRef({8, 4, 1, 1}));
  CHECK(owner.named_buffers().contains("pointwise.1.running_mean"));
  CHECK(block.forward(image_of({2, 4, 9, 7})).sizes() == at::IntArrayRef({2, 8, 5, 4}));
}

TEST_CASE("pyramid pooling lays one map per scale beside its input") {
  torch::nn::Module owner;
  const nn::PyramidPoolingOptions options{.in_channels = 4, .channels = 1, .pool_scales = {1, 2}};
  const nn::PyramidPooling block(owner, {nn::conv_bn("0"), nn::conv_bn("1")}, options);
  const auto image = image_of({2, 4, 9, 7});
  const auto answer = block.forward(image);
  CHECK(answer.sizes() == at::IntArrayRef({2, 6, 9, 7}));
  CHECK(at::equal(answer.slice(1, 0, 4), image));
  const auto whole = answer.select(1, 4).flatten(1);  // scale 1: one value for the whole image
  CHECK((whole.amax(1) - whole.amin(1)).max().item<float>() < 1e-6);
  CHECK_THROWS_AS(nn::PyramidPooling(owner, {nn::conv_bn("2")}, options), PluginError);
}

TEST_CASE("resizing interpolates between pixel centres, or between corners when these are aligned") {
  const auto row = at::tensor({0.f, 4.f}).view({1, 1, 1, 2}), wide = at::zeros({1, 3, 1, 4});
  CHECK(furthest(at::tensor({0.f, 1.f, 3.f, 4.f}), nn::resize_like(row, wide).flatten()) < 1e-6);
  CHECK(furthest(at::tensor({0.f, 4 / 3.f, 8 / 3.f, 4.f}), nn::resize_like(row, wide, true).flatten()) < 1e-6);
}

TEST_CASE("squeeze and excitation scales each channel by what the whole image holds") {
  for (const bool hard : {false, true}) {
    torch::nn::Module owner;
    const nn::SqueezeExcitation block(owner, {"se.fc1", "se.fc2"},
                                      {.channels = 2,
                                       .squeezed_channels = 1,
                                       .activation = hard ? nn::Activation::relu : nn::Activation::silu,
                                       .gate = hard ? nn::Activation::hard_sigmoid : nn::Activation::sigmoid});
    const c10::AutoGradMode no_grad(false);
    const auto parameters = owner.named_parameters();
    parameters["se.fc1.weight"].copy_(at::tensor({1.f, 2.f}).view({1, 2, 1, 1}));
    parameters["se.fc1.bias"].fill_(-3);
    parameters["se.fc2.weight"].copy_(at::tensor({1.f, -1.f}).view({2, 1, 1, 1}));
    parameters["se.fc2.bias"].fill_(0.5);
    // Means 1 and 2: 1 + 2 * 2 - 3 = 2.
    const auto image = at::tensor({0.f, 2.f, 4.f, 0.f}).view({1, 2, 1, 2});
    const double inner = hard ? 2 : 2 / (1 + std::exp(-2.0));
    const auto gate = [&](double x) { return hard ? std::clamp(x / 6 + 0.5, 0.0, 1.0) : 1 / (1 + std::exp(-x)); };
    const double first = gate(inner + 0.5), second = gate(0.5 - inner);
    CHECK(furthest(at::tensor({0., 2 * first, 4 * second, 0.}), block.forward(image).flatten()) < 1e-6);
  }
}

TEST_CASE("an inverted residual block squeezes before it projects, and pads as it is told") {
  torch::nn::Module owner;
  const nn::InvertedResidual block(
      owner,
      {.expand = nn::conv_bn("0"),
       .depthwise = nn::conv_bn("1"),
       .project = nn::conv_bn("2"),
       .squeeze = {"se.reduce", "se.expand"}},
      {.in_channels = 4, .out_channels = 6, .stride = 2, .padding = 0, .end_padding = 1, .squeezed_channels = 3});
  CHECK(owner.named_parameters()["se.reduce.weight"].sizes() == at::IntArrayRef({3, 24, 1, 1}));
  CHECK(owner.named_parameters()["se.expand.weight"].sizes() == at::IntArrayRef({24, 3, 1, 1}));
  CHECK(block.forward(image_of({2, 4, 8, 9})).sizes() == at::IntArrayRef({2, 6, 4, 4}));
}

TEST_CASE("an inverted residual block drops its branch for whole images, in training only") {
  torch::nn::Module owner;
  const nn::InvertedResidual block(owner, {nn::conv_bn("0"), nn::conv_bn("1"), nn::conv_bn("2")},
                                   {.in_channels = 4, .out_channels = 4, .drop_path_rate = 0.5});
  const auto images = image_of({16, 4, 6, 6});
  at::manual_seed(1);
  owner.train();
  const auto changed = (block.forward(images) - images).flatten(1).ne(0).any(1).sum().item<std::int64_t>();
  CHECK(changed > 0);
  CHECK(changed < 16);
  owner.eval();
  CHECK((block.forward(images) - images).flatten(1).ne(0).any(1).all().item<bool>());
}
