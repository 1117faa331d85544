// The blocks in nn/: their two forms, their statistics over ranks, and resizing by hand-computed numbers.
#include <ATen/ATen.h>

#include "support/test.h"

#include <sectile/error.h>
#include <sectile/nn/depthwise_separable_conv.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/pyramid_pooling.h>
#include <sectile/nn/resize.h>

#include "parity/name_hash.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// A second rank that holds the same pictures as this one.
struct Twin final : Ranks {
  int count() const override { return 2; }
  at::Tensor sum(const at::Tensor& value) const override { return 2 * value; }
};

double furthest(const at::Tensor& a, const at::Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("a block folded for inference answers the same and keeps nothing of its norm's statistics") {
  nn::ConvNormAct block(
      {.in_channels = 4, .out_channels = 6, .kernel_size = 3, .stride = 2, .padding = 1, .groups = 2});
  fill_by_name(block);
  block.eval();
  const auto picture = formula_picture({2, 4, 9, 7});
  const auto before = block.forward(picture);
  CHECK(prepare_for_inference(block) == 1);
  CHECK(furthest(before, block.forward(picture)) < 1e-5);
  block.named_buffers()["bn.running_mean"].fill_(7);
  CHECK(furthest(before, block.forward(picture)) < 1e-5);
}

TEST_CASE("a folded block moves to another type as a whole, and folding twice changes nothing") {
  nn::ConvNormAct block({.in_channels = 3, .out_channels = 5, .kernel_size = 1});
  fill_by_name(block);
  block.eval();
  const auto picture = formula_picture({1, 3, 4, 4});
  const auto before = block.forward(picture);
  prepare_for_inference(block);
  prepare_for_inference(block);
  block.to(at::kDouble);
  CHECK(furthest(before, block.forward(picture.to(at::kDouble))) < 1e-5);
}

TEST_CASE("a block without norm has a bias, and one without activation lets negative values through") {
  nn::ConvNormAct block({.in_channels = 3,
                         .out_channels = 5,
                         .kernel_size = 1,
                         .norm = nn::Norm::none,
                         .activation = nn::Activation::none});
  CHECK(block.parameters().size() == 2);
  CHECK(block.named_parameters().contains("conv.bias"));
  CHECK(block.forward(formula_picture({1, 3, 8, 8})).min().item<float>() < 0);
  CHECK(nn::ConvNormAct({.in_channels = 3, .out_channels = 5, .kernel_size = 1})
            .forward(formula_picture({1, 3, 8, 8}))
            .min()
            .item<float>() == 0);
}

TEST_CASE("statistics over two ranks are those of one batch of both") {
  nn::ConvNormAct alone({.in_channels = 3, .out_channels = 5, .kernel_size = 3});
  nn::ConvNormAct shared({.in_channels = 3, .out_channels = 5, .kernel_size = 3});
  fill_by_name(alone);
  fill_by_name(shared);
  CHECK(connect(shared, std::make_shared<Twin>()) == 1);
  const auto picture = formula_picture({2, 3, 8, 8});
  const auto whole = alone.forward(at::cat({picture, picture}));
  const auto half = shared.forward(picture);
  CHECK(furthest(whole.slice(0, 0, 2), half) < 1e-5);
  for (const auto& item : alone.named_buffers())
    CHECK_MESSAGE(furthest(item.value(), shared.named_buffers()[item.key()]) < 1e-5, item.key());
  // Each rank's gradient is its own share; the two shares here are equal.
  whole.square().sum().backward();
  half.square().sum().backward();
  const auto of = [](nn::ConvNormAct& block) { return block.named_parameters()["conv.weight"].grad(); };
  CHECK(furthest(of(alone), 2 * of(shared)) < 1e-3);
}

TEST_CASE("one value per channel cannot be trained on alone, and can where other ranks add theirs") {
  nn::ConvNormAct block({.in_channels = 3, .out_channels = 5, .kernel_size = 1});
  const auto pixel = formula_picture({1, 3, 1, 1});
  CHECK_THROWS_AS(block.forward(pixel), DataError);
  block.eval();
  CHECK(block.forward(pixel).isfinite().all().item<bool>());
  block.train();
  connect(block, std::make_shared<Twin>());
  CHECK(block.forward(pixel).isfinite().all().item<bool>());
}

TEST_CASE("an inverted residual block has a shortcut where the shape stays, and only there") {
  const auto is_identity_without_weights = [](const nn::InvertedResidualOptions& options) {
    nn::InvertedResidual block(options);
    const c10::AutoGradMode no_grad(false);
    for (auto& parameter : block.parameters()) parameter.zero_();
    const auto picture = formula_picture({1, 4, 6, 6});
    const auto answer = block.forward(picture);
    return answer.sizes() == picture.sizes() && at::equal(answer, picture);
  };
  CHECK(is_identity_without_weights({.in_channels = 4, .out_channels = 4}));
  CHECK_FALSE(is_identity_without_weights({.in_channels = 4, .out_channels = 8}));
  CHECK_FALSE(is_identity_without_weights({.in_channels = 4, .out_channels = 4, .stride = 2}));
  CHECK(
      nn::InvertedResidual({.in_channels = 4, .out_channels = 4, .expand_ratio = 1}).children()[0]->children().size() ==
      2);
}

TEST_CASE("a depthwise separable convolution is one per channel, then one per pixel") {
  nn::DepthwiseSeparableConv block({.in_channels = 4, .out_channels = 8, .stride = 2});
  CHECK(block.named_parameters()["depthwise_conv.conv.weight"].sizes() == at::IntArrayRef({4, 1, 3, 3}));
  CHECK(block.named_parameters()["pointwise_conv.conv.weight"].sizes() == at::IntArrayRef({8, 4, 1, 1}));
  CHECK(block.forward(formula_picture({2, 4, 9, 7})).sizes() == at::IntArrayRef({2, 8, 5, 4}));
}

TEST_CASE("pyramid pooling lays one map per scale beside its input") {
  nn::PyramidPooling block({.in_channels = 4, .channels = 1, .pool_scales = {1, 2}});
  const auto picture = formula_picture({2, 4, 9, 7});
  const auto answer = block.forward(picture);
  CHECK(answer.sizes() == at::IntArrayRef({2, 6, 9, 7}));
  CHECK(at::equal(answer.slice(1, 0, 4), picture));
  const auto whole = answer.select(1, 4).flatten(1);  // scale 1: one value for the whole picture
  CHECK(furthest(whole.amax(1), whole.amin(1)) < 1e-6);
}

TEST_CASE("resizing interpolates between pixel centres, or between corners when these are aligned") {
  const auto row = at::tensor({0.f, 4.f}).view({1, 1, 1, 2}), wide = at::zeros({1, 3, 1, 4});
  CHECK(furthest(nn::resize_like(row, wide).flatten(), at::tensor({0.f, 1.f, 3.f, 4.f})) < 1e-6);
  CHECK(furthest(nn::resize_like(row, wide, true).flatten(), at::tensor({0.f, 4 / 3.f, 8 / 3.f, 4.f})) < 1e-6);
}
