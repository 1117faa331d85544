// The forms that layers take for inference on the CPU: packed, with what follows in the same pass.
#include <limits>

#include <ATen/ATen.h>

#include <sectile/nn/conv_norm_act.h>

#include "nn_support.h"
#include "upper/nn/cpu/winograd.h"
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

TEST_CASE("a packed convolution answers the same for images of changing sizes") {
  const c10::AutoGradMode no_grad(false);
  for (const auto& options : packable()) {
    CAPTURE(options.out_channels);
    OneBlock plain(options), packed(options);
    prepare_for_inference(packed, packed_plan());
    for (const auto& [height, width] : {std::pair{17, 12}, {30, 40}, {30, 40}, {9, 9}, {17, 12}, {17, 12}, {64, 64}}) {
      const auto image = image_of({1, options.in_channels, height, width}).contiguous(kLast);
      CHECK(furthest(plain.block.forward(image), packed.block.forward(image)) < 1e-5);
    }
  }
}

TEST_CASE("a 3x3 convolution of many channels by minimal filtering equals the sum over its kernel") {
  const c10::AutoGradMode no_grad(false);
  struct Case {
    int in, out, dilation, batch, height, width;
  };
  for (const auto& [in, out, dilation, batch, height, width] : {Case{64, 64, 1, 1, 32, 32},
                                                                {32, 48, 1, 2, 37, 30},
                                                                {64, 16, 1, 1, 50, 33},
                                                                {48, 80, 2, 1, 41, 39},
                                                                {32, 32, 5, 1, 61, 47},
                                                                {256, 64, 1, 3, 23, 18},
                                                                {16, 32, 1, 1, 4, 300},
                                                                {64, 64, 3, 1, 2, 700}}) {
    CAPTURE(in);
    CAPTURE(out);
    CAPTURE(dilation);
    const nn::ConvOptions options{
        .in_channels = in, .out_channels = out, .kernel_size = 3, .padding = dilation, .dilation = dilation};
    if (!nn::WinogradConv::serves(options, at::kFloat)) return;  // this processor has no AVX-512
    nn::Conv conv(options);
    fill_by_name(conv);
    const auto image = image_of({batch, in, height, width}).contiguous(kLast);
    const auto shortcut = image_of({batch, out, height, width}).contiguous(kLast);
    const auto expected = at::conv2d(image.to(at::kDouble), conv.weight.to(at::kDouble), conv.bias.to(at::kDouble), 1,
                                     dilation, dilation);
    const nn::WinogradConv winograd(options, conv.weight, conv.bias);
    for (const bool adds : {false, true})
      for (const bool relu : {false, true}) {
        auto output = shortcut.clone();
        winograd.forward(image, output, adds, relu);
        auto wanted = adds ? expected + shortcut : expected;
        if (relu) wanted = wanted.relu();
        CHECK(furthest(wanted, output) < 1e-5);
      }
  }
}

TEST_CASE("minimal filtering keeps what is not a number, after ReLU too") {
  const c10::AutoGradMode no_grad(false);
  const nn::ConvOptions options{.in_channels = 16, .out_channels = 16, .kernel_size = 3, .padding = 1};
  if (!nn::WinogradConv::serves(options, at::kFloat)) return;
  nn::Conv conv(options);
  auto image = image_of({1, 16, 12, 12}).contiguous(kLast);
  image.select(2, 5).select(2, 5).fill_(std::numeric_limits<float>::quiet_NaN());
  auto output = at::zeros_like(image);
  nn::WinogradConv(options, conv.weight, conv.bias).forward(image, output, /*adds=*/false, /*relu=*/true);
  CHECK(output.slice(2, 4, 7).slice(3, 4, 7).isnan().all().item<bool>());
}

TEST_CASE("minimal filtering is taken only where it takes less time") {
  const auto pays = [](int in, int out, int dilation, int size) {
    const nn::ConvOptions options{
        .in_channels = in, .out_channels = out, .kernel_size = 3, .padding = dilation, .dilation = dilation};
    return nn::WinogradConv::pays(options, {1, in, size, size});
  };
  CHECK(pays(64, 64, 1, 128));
  CHECK(pays(512, 512, 4, 65));
  CHECK_FALSE(pays(512, 512, 1, 16));    // 16 tiles: the weights are read for few products
  CHECK_FALSE(pays(2048, 256, 36, 65));  // most of each tile lies outside, and so do most products of the usual sum
  CHECK_FALSE(pays(16, 16, 1, 8));
  const nn::ConvOptions fitting{.in_channels = 64, .out_channels = 64, .kernel_size = 3, .padding = 1};
  auto strided = fitting, unpadded = fitting, grouped = fitting, narrow = fitting;
  strided.stride = 2;
  unpadded.padding = 0;
  grouped.groups = 4;
  narrow.in_channels = 24;
  for (const auto* options : {&strided, &unpadded, &grouped, &narrow})
    CHECK_FALSE(nn::WinogradConv::serves(*options, at::kFloat));
  CHECK_FALSE(nn::WinogradConv::serves(fitting, at::kBFloat16));
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
