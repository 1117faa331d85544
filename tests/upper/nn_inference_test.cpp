// The forms that layers take for inference on the CPU: packed, with what follows in the same pass.
#include <ATen/ATen.h>

#include <sectile/nn/conv_norm_act.h>

#include "nn_support.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr auto kLast = at::MemoryFormat::ChannelsLast;

InferencePlan packed_plan(at::ScalarType precision = at::kFloat) {
  return {.precision = precision, .format = kLast, .pack = true, .verify = true};
}

struct OneBlock final : torch::nn::Module {
  explicit OneBlock(const nn::ConvNormActOptions& options) : block(*this, nn::conv_bn("block"), options) {
    fill_by_name(*this);
    eval();
  }
  nn::ConvNormAct block;
};

const std::vector<nn::ConvNormActOptions>& packable() {
  static const std::vector<nn::ConvNormActOptions> all{
      {.in_channels = 3, .out_channels = 8, .kernel_size = 3, .stride = 2, .padding = 1},
      {.in_channels = 8, .out_channels = 21, .kernel_size = 1},
      {.in_channels = 8, .out_channels = 8, .kernel_size = {3, 5}, .padding = {1, 2}, .groups = 8},
      {.in_channels = 8, .out_channels = 12, .kernel_size = 3, .padding = 4, .dilation = 4, .groups = 2},
      {.in_channels = 8, .out_channels = 8, .kernel_size = 3, .stride = 2, .end_padding = 1, .groups = 8},
      {.in_channels = 8, .out_channels = 16, .kernel_size = 5, .padding = 2, .norm = nn::Norm::none},
      {.in_channels = 8, .out_channels = 16, .kernel_size = 3, .padding = 1, .bias = true},
      {.in_channels = 8, .out_channels = 16, .kernel_size = 3, .padding = 1, .norm = nn::Norm::frozen_batch}};
  return all;
}

constexpr nn::Activation kAll[] = {nn::Activation::none,       nn::Activation::relu,       nn::Activation::relu6,
                                   nn::Activation::leaky_relu, nn::Activation::elu,        nn::Activation::selu,
                                   nn::Activation::gelu,       nn::Activation::gelu_tanh,  nn::Activation::silu,
                                   nn::Activation::mish,       nn::Activation::hard_swish, nn::Activation::hard_sigmoid,
                                   nn::Activation::sigmoid,    nn::Activation::tanh,       nn::Activation::softplus};

}  // namespace

TEST_CASE("a packed convolution answers as the plain one, with every option and activation") {
  const c10::AutoGradMode no_grad(false);
  for (auto options : packable())
    for (const auto activation : kAll) {
      CAPTURE(options.out_channels);
      CAPTURE(static_cast<int>(activation));
      options.activation = activation;
      OneBlock one(options);
      const auto image = image_of({2, options.in_channels, 17, 12});
      const auto before = one.block.forward(image);
      prepare_for_inference(one, packed_plan());
      CHECK(prepare_for_inference(one, packed_plan()) == (options.norm == nn::Norm::none ? 1 : 2));
      for (auto& buffer : one.buffers()) buffer.fill_(7);  // of the norm, which is folded
      const auto after = one.block.forward(image.contiguous(kLast));
      CHECK(furthest(before, after) < 1e-5);
      CHECK(after.is_contiguous(kLast));
      CHECK(furthest(before, one.block.forward(image)) < 1e-5);
      CHECK(one.parameters().front().numel() == 0);
    }
}

TEST_CASE("a block added to a shortcut answers the same in training, evaluation and packed") {
  for (auto options : packable())
    for (const auto first : {nn::Activation::none, nn::Activation::relu})
      for (const auto last : kAll) {
        CAPTURE(options.out_channels);
        CAPTURE(static_cast<int>(first));
        CAPTURE(static_cast<int>(last));
        options.activation = first;
        OneBlock one(options);
        const auto image = image_of({2, options.in_channels, 17, 12});
        const auto shape = one.block.forward(image).sizes().vec();
        const auto shortcut = image_of(shape).cos();
        for (const bool learns : {true, false}) {
          one.train(learns);
          const c10::AutoGradMode grad(learns);
          const auto expected = nn::activate(one.block.forward(image) + shortcut, last);
          const auto found = one.block.forward_added(image, shortcut, last);
          CHECK(furthest(expected, found) < 1e-6);
          if (learns) found.sum().backward();
        }
        const c10::AutoGradMode no_grad(false);
        const auto before = one.block.forward_added(image, shortcut, last);
        prepare_for_inference(one, packed_plan());
        CHECK(furthest(before, one.block.forward_added(image, shortcut, last)) < 1e-5);
        CHECK(furthest(before, one.block.forward_added(image, shortcut.contiguous(kLast).clone(), last)) < 1e-5);
      }
}

TEST_CASE("a packed block adds in place only to a shortcut that nothing else holds") {
  const c10::AutoGradMode no_grad(false);
  OneBlock one({.in_channels = 8, .out_channels = 8, .kernel_size = 1, .activation = nn::Activation::none});
  prepare_for_inference(one, packed_plan());
  const auto image = image_of({1, 8, 9, 7}).contiguous(kLast);
  const auto added = [&](at::Tensor shortcut) {
    return one.block.forward_added(image, std::move(shortcut), nn::Activation::relu);
  };
  auto shortcut = image.cos();
  const auto held = shortcut;
  const auto copy = shortcut.clone();
  const auto expected = added(std::move(shortcut));
  CHECK(at::equal(held, copy));  // a second name
  auto of_view = image.cos();
  const auto view = of_view.narrow(1, 0, 4);
  const auto view_copy = view.clone();
  CHECK(furthest(expected, added(std::move(of_view))) < 1e-6);
  CHECK(at::equal(view, view_copy));  // a view of the same memory
  auto own = image.cos();
  const auto* memory = own.data_ptr();
  const auto found = added(std::move(own));
  CHECK(furthest(expected, found) < 1e-6);
  CHECK(found.data_ptr() == memory);
}

TEST_CASE("a bfloat16 convolution is packed where the processor has it, and takes float32 images") {
  const c10::AutoGradMode no_grad(false);
  OneBlock one({.in_channels = 8, .out_channels = 16, .kernel_size = 3, .padding = 1});
  const auto image = image_of({2, 8, 17, 12});
  const auto before = one.block.forward(image);
  prepare_for_inference(one, packed_plan(at::kBFloat16));
  if (one.parameters().front().numel() > 0) return;
  CHECK(furthest(before, one.block.forward(image)) < 0.02);
  CHECK((one.block.forward(image).scalar_type() == at::kBFloat16));
}

TEST_CASE("what oneDNN does not serve keeps its plain form") {
  const c10::AutoGradMode no_grad(false);
  nn::Conv up({.in_channels = 4, .out_channels = 4, .kernel_size = 2, .stride = 2, .transposed = true});
  nn::Conv volume({.in_channels = 4, .out_channels = 4, .kernel_size = 3, .dimensions = 3});
  nn::Conv exact({.in_channels = 4, .out_channels = 4, .kernel_size = 3});
  exact.to(at::kDouble);
  for (auto* conv : {&up, &volume, &exact}) {
    conv->prepare_for_inference(packed_plan());
    CHECK(conv->weight.numel() > 0);
  }
  nn::Conv contiguous({.in_channels = 4, .out_channels = 4, .kernel_size = 3});
  contiguous.prepare_for_inference({.pack = true});
  CHECK(contiguous.weight.numel() > 0);
}
