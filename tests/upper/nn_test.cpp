// The layers in nn/: against LibTorch's own, and their two forms.
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include <sectile/error.h>
#include <sectile/nn/batch_norm.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/inference.h>
#include <sectile/nn/linear.h>

#include "nn_support.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// Parameters and buffers by name.
std::map<std::string, at::Tensor> tensors_of(torch::nn::Module& module) {
  std::map<std::string, at::Tensor> tensors;
  for (const auto& item : module.named_parameters()) tensors[item.key()] = item.value();
  for (const auto& item : module.named_buffers()) tensors[item.key()] = item.value();
  return tensors;
}

// With the same weights, both answer the same, learn the same and leave the same buffers.
template <class Ours, class Theirs>
void check_same(Ours& ours, Theirs& theirs, const at::Tensor& input) {
  const auto type = input.scalar_type();
  for (torch::nn::Module* module : {static_cast<torch::nn::Module*>(&ours), static_cast<torch::nn::Module*>(&theirs)}) {
    if (type == at::kDouble) to_double(*module);
    fill_by_name(*module);
  }
  const auto our_input = input.clone().set_requires_grad(true), their_input = input.clone().set_requires_grad(true);
  const auto our_output = ours.forward(our_input), their_output = theirs.forward(their_input);
  CHECK(furthest(their_output, our_output) < precise(type));
  our_output.square().sum().backward();
  their_output.square().sum().backward();
  CHECK(furthest(their_input.grad(), our_input.grad()) < precise(type));
  auto our_tensors = tensors_of(ours), their_tensors = tensors_of(theirs);
  CHECK(our_tensors.size() == their_tensors.size());
  for (const auto& [name, tensor] : their_tensors) {
    CAPTURE(name);
    REQUIRE(our_tensors.count(name) == 1);
    CHECK(furthest(tensor, our_tensors[name]) < precise(type));
    if (tensor.requires_grad()) CHECK(furthest(tensor.grad(), our_tensors[name].grad()) < precise(type));
  }
}

struct ConvCase {
  int dimensions, stride, dilation, groups;
  bool transposed, bias;
};
std::vector<ConvCase> conv_cases() {
  std::vector<ConvCase> cases;
  for (const int dimensions : {2, 3})
    for (const bool transposed : {false, true})
      for (const int stride : {1, 2})
        for (const int dilation : {1, 2})
          for (const int groups : {1, 2})
            cases.push_back({dimensions, stride, dilation, groups, transposed, stride == dilation});
  return cases;
}
nn::ConvOptions options_of(const ConvCase& one) {
  const bool flat = one.dimensions == 2;
  const int more = one.transposed && one.stride == 2 ? 1 : 0;
  return {.in_channels = 4,
          .out_channels = 6,
          .kernel_size = flat ? nn::PerAxis{3, 2} : nn::PerAxis{1, 3, 2},
          .stride = one.stride,
          .padding = flat ? nn::PerAxis{1, 0} : nn::PerAxis{0, 1, 0},
          .dilation = one.dilation,
          .groups = one.groups,
          .bias = one.bias,
          .transposed = one.transposed,
          .output_padding = more,
          .dimensions = one.dimensions};
}
std::vector<std::int64_t> input_shape(const ConvCase& one) {
  return one.dimensions == 2 ? std::vector<std::int64_t>{2, 4, 9, 7} : std::vector<std::int64_t>{2, 4, 3, 9, 7};
}

template <std::size_t D, class Options>
Options theirs(const ConvCase& one) {
  torch::ExpandingArray<D> kernel(1), padding(0);
  (*kernel)[D - 2] = 3, (*kernel)[D - 1] = 2, (*padding)[D - 2] = 1;
  auto options = Options(4, 6, kernel).stride(one.stride).padding(padding).dilation(one.dilation);
  options.groups(one.groups).bias(one.bias);
  if constexpr (requires { options.output_padding(); }) options.output_padding(one.stride == 2 ? 1 : 0);
  return options;
}

// Calls use with LibTorch's module for the case.
template <class Use>
void with_theirs(const ConvCase& one, Use use) {
  using namespace torch::nn;
  if (one.dimensions == 2 && !one.transposed) use(std::make_shared<Conv2dImpl>(theirs<2, Conv2dOptions>(one)));
  if (one.dimensions == 3 && !one.transposed) use(std::make_shared<Conv3dImpl>(theirs<3, Conv3dOptions>(one)));
  if (one.dimensions == 2 && one.transposed)
    use(std::make_shared<ConvTranspose2dImpl>(theirs<2, ConvTranspose2dOptions>(one)));
  if (one.dimensions == 3 && one.transposed)
    use(std::make_shared<ConvTranspose3dImpl>(theirs<3, ConvTranspose3dOptions>(one)));
}

// A convolution and the norm that follows it, as two layers of one module.
struct ConvAndNorm final : torch::nn::Module {
  ConvAndNorm(const nn::ConvOptions& options, nn::BatchNormOptions norm_options, bool norm_first = false) {
    conv = std::make_shared<nn::Conv>(options);
    norm = std::make_shared<nn::BatchNorm>(norm_options, conv);
    if (norm_first) register_module("norm", norm);
    register_module("conv", conv);
    if (!norm_first) register_module("norm", norm);
    fill_by_name(*this);
    eval();
  }
  at::Tensor forward(const at::Tensor& input) { return norm->forward(conv->forward(input)); }

  std::shared_ptr<nn::Conv> conv;
  std::shared_ptr<nn::BatchNorm> norm;
};

constexpr nn::Activation kActivations[] = {
    nn::Activation::none,    nn::Activation::relu, nn::Activation::relu6,      nn::Activation::leaky_relu,
    nn::Activation::elu,     nn::Activation::selu, nn::Activation::gelu,       nn::Activation::gelu_tanh,
    nn::Activation::silu,    nn::Activation::mish, nn::Activation::hard_swish, nn::Activation::hard_sigmoid,
    nn::Activation::sigmoid, nn::Activation::tanh, nn::Activation::softplus};

// Never in place, and by definition where LibTorch has no function of that name.
at::Tensor by_definition(const at::Tensor& x, nn::Activation activation) {
  switch (activation) {
    case nn::Activation::none:
      return x;
    case nn::Activation::relu:
      return x.clamp_min(0);
    case nn::Activation::relu6:
      return x.clamp(0, 6);
    case nn::Activation::leaky_relu:
      return at::where(x > 0, x, 0.01 * x);
    case nn::Activation::elu:
      return at::where(x > 0, x, x.exp() - 1);
    case nn::Activation::selu:
      return 1.0507009873554805 * at::where(x > 0, x, 1.6732632423543772 * (x.exp() - 1));
    case nn::Activation::gelu:
      return x * 0.5 * (1 + (x * M_SQRT1_2).erf());
    case nn::Activation::gelu_tanh:
      return x * 0.5 * (1 + (std::sqrt(2 / M_PI) * (x + 0.044715 * x.pow(3))).tanh());
    case nn::Activation::silu:
      return x / (1 + (-x).exp());
    case nn::Activation::mish:
      return x * x.exp().log1p().tanh();
    case nn::Activation::hard_swish:
      return x * (x + 3).clamp(0, 6) / 6;
    case nn::Activation::hard_sigmoid:
      return (x + 3).clamp(0, 6) / 6;
    case nn::Activation::sigmoid:
      return 1 / (1 + (-x).exp());
    case nn::Activation::tanh:
      return x.tanh();
    case nn::Activation::softplus:
      return x.exp().log1p();
  }
  return {};
}

}  // namespace

TEST_CASE("a convolution answers and learns as LibTorch's, plain and transposed, of images and volumes") {
  for (const auto& one : conv_cases())
    for (const auto type : {at::kFloat, at::kDouble})
      with_theirs(one, [&](const auto& wanted) {
        CAPTURE(one.dimensions);
        CAPTURE(one.transposed);
        CAPTURE(one.stride);
        CAPTURE(one.dilation);
        CAPTURE(one.groups);
        nn::Conv conv(options_of(one));
        check_same(conv, *wanted, image_of(input_shape(one), type));
      });
}

TEST_CASE("convolutions and linear layers start as LibTorch's do") {
  const auto check_starts = [](auto& theirs, const auto& make_ours) {
    at::manual_seed(7);
    theirs.reset_parameters();
    at::manual_seed(7);
    const auto wanted = theirs.parameters(), found = make_ours()->parameters();
    REQUIRE(found.size() == wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) CHECK(at::equal(wanted[i], found[i]));
  };
  for (const auto& one : conv_cases())
    with_theirs(one, [&](const auto& theirs) {
      check_starts(*theirs, [&] { return std::make_shared<nn::Conv>(options_of(one)); });
    });
  torch::nn::LinearImpl linear(5, 3);
  check_starts(linear, [] { return std::make_shared<nn::Linear>(5, 3); });
}

TEST_CASE("a linear layer answers and learns as LibTorch's") {
  for (const bool bias : {true, false})
    for (const auto type : {at::kFloat, at::kDouble}) {
      nn::Linear linear(7, 5, bias);
      torch::nn::LinearImpl wanted(torch::nn::LinearOptions(7, 5).bias(bias));
      check_same(linear, wanted, image_of({2, 9, 7}, type));
    }
}

TEST_CASE("a convolution of two inputs is that of both joined, in its answer and in all gradients") {
  for (const int dimensions : {2, 3})
    for (const bool bias : {true, false}) {
      CAPTURE(dimensions);
      CAPTURE(bias);
      const nn::ConvOptions options{.in_channels = 4,
                                    .out_channels = 6,
                                    .kernel_size = 3,
                                    .stride = 2,
                                    .padding = 1,
                                    .groups = 2,
                                    .bias = bias,
                                    .dimensions = dimensions};
      nn::Conv joined(options), whole(options);
      for (auto* conv : {&joined, &whole}) to_double(*conv), fill_by_name(*conv);
      const auto input =
          image_of(dimensions == 2 ? at::IntArrayRef{2, 4, 9, 7} : at::IntArrayRef{2, 4, 3, 5, 7}, at::kDouble);
      const auto x = input.clone().set_requires_grad(true);
      const auto a = input.slice(1, 0, 1).clone().set_requires_grad(true);
      const auto b = input.slice(1, 1).clone().set_requires_grad(true);
      const auto wanted = whole.forward(x), answer = joined.forward(a, b);
      CHECK(furthest(wanted, answer) < 1e-12);
      wanted.square().sum().backward();
      answer.square().sum().backward();
      CHECK(furthest(x.grad(), at::cat({a.grad(), b.grad()}, 1)) < 1e-12);
      CHECK(furthest(whole.weight.grad(), joined.weight.grad()) < 1e-12);
      if (bias) CHECK(furthest(whole.bias.grad(), joined.bias.grad()) < 1e-12);
      const c10::AutoGradMode no_grad(false);
      CHECK(furthest(wanted, joined.forward(a, b)) < 1e-12);
    }
}

TEST_CASE("a convolution that cannot be is refused") {
  CHECK_THROWS_WITH_AS(nn::Conv({.in_channels = 3, .out_channels = 0, .kernel_size = 3}),
                       doctest::Contains("cannot take 3 channels to 0: there must be at least 1 of each"), PluginError);
  CHECK_THROWS_AS(nn::Conv({.in_channels = 3, .out_channels = 4, .kernel_size = 3, .groups = 2}), PluginError);
  CHECK_THROWS_AS(nn::Conv({.in_channels = 3, .out_channels = 4, .kernel_size = {3, 3, 3}}), PluginError);
  CHECK_THROWS_AS(nn::Conv({.in_channels = 3, .out_channels = 4, .kernel_size = 3, .dimensions = 1}), PluginError);
  const auto one = image_of({1, 3, 4, 4});
  CHECK_THROWS_AS(
      nn::Conv({.in_channels = 6, .out_channels = 4, .kernel_size = 3, .transposed = true}).forward(one, one),
      PluginError);
}

TEST_CASE("every activation has its values and gradients, in place or not") {
  const auto values = at::linspace(-8, 9, 1001, at::kDouble);
  for (const auto activation : kActivations) {
    CAPTURE(static_cast<int>(activation));
    const auto ours = values.clone().set_requires_grad(true), theirs = values.clone().set_requires_grad(true);
    const auto answer = nn::activate(ours * 1, activation), wanted = by_definition(theirs, activation);
    CHECK(furthest(wanted, answer) < 1e-12);
    answer.square().sum().backward();
    wanted.square().sum().backward();
    CHECK(furthest(theirs.grad(), ours.grad()) < 1e-6);
    const c10::AutoGradMode no_grad(false);
    const auto given = values.clone();
    const auto in_place = nn::activate(given, activation);
    CHECK(in_place.is_same(given));
    CHECK(furthest(wanted, in_place) < 1e-12);
  }
}

TEST_CASE("ReLU of a convolution takes no memory of its own in training") {
  nn::Conv conv({.in_channels = 3, .out_channels = 5, .kernel_size = 3});
  const auto convolved = conv.forward(image_of({1, 3, 8, 8}));
  CHECK(nn::activate(convolved, nn::Activation::relu).is_same(convolved));
}

TEST_CASE("batch norm answers and learns as LibTorch's, of images and volumes, in training and evaluation") {
  for (const bool training : {true, false})
    for (const bool affine : {true, false})
      for (const auto type : {at::kFloat, at::kDouble}) {
        CAPTURE(training);
        CAPTURE(affine);
        const auto compare = [&](auto wanted, at::IntArrayRef shape) {
          nn::BatchNorm norm({.channels = 4, .eps = 1e-3, .momentum = 0.03, .affine = affine});
          norm.train(training);
          wanted.train(training);
          check_same(norm, wanted, image_of(shape, type));
        };
        const auto options = torch::nn::BatchNormOptions(4).eps(1e-3).momentum(0.03).affine(affine);
        compare(torch::nn::BatchNorm2dImpl(options), {2, 4, 9, 7});
        compare(torch::nn::BatchNorm3dImpl(options), {2, 4, 3, 5, 7});
      }
}

// torchvision/ops/misc.py: x * (weight * rsqrt(running_var + eps)) + (bias - running_mean * that)
TEST_CASE("a frozen batch norm is torchvision's: buffers only, no counter, and the same in training") {
  nn::BatchNorm norm({.channels = 4, .frozen = true});
  CHECK(norm.parameters().empty());
  CHECK(norm.named_buffers().keys() == std::vector<std::string>{"weight", "bias", "running_mean", "running_var"});
  to_double(norm);
  fill_by_name(norm);
  norm.train();
  const auto before = norm.running_mean.clone();
  const auto x = image_of({2, 4, 9, 7}, at::kDouble).set_requires_grad(true);
  const auto scale = norm.weight * (norm.running_var + 1e-5).rsqrt();
  const auto column = [](const at::Tensor& values) { return values.view({1, -1, 1, 1}); };
  const auto answer = norm.forward(x);
  CHECK(furthest(x * column(scale) + column(norm.bias - norm.running_mean * scale), answer) < 1e-12);
  answer.sum().backward();
  CHECK(furthest(column(scale).expand_as(x), x.grad()) < 1e-12);
  CHECK(at::equal(before, norm.running_mean));
}

TEST_CASE("a norm folds into the convolution that it follows, whichever is prepared first, and twice does no harm") {
  for (const auto& one : conv_cases())
    for (const bool norm_first : {false, true})
      for (const bool frozen : {false, true}) {
        CAPTURE(one.dimensions);
        CAPTURE(one.transposed);
        CAPTURE(one.groups);
        CAPTURE(norm_first);
        ConvAndNorm both(options_of(one), {.channels = 6, .frozen = frozen, .activation = nn::Activation::silu},
                         norm_first);
        to_double(both);
        const auto image = image_of(input_shape(one), at::kDouble);
        const auto before = both.forward(image);
        CHECK(prepare_for_inference(both, {.verify = true}) == 2);
        CHECK(prepare_for_inference(both, {.verify = true}) == 2);
        for (auto& buffer : both.norm->buffers()) buffer.fill_(7);
        CHECK((both.conv->weight.scalar_type() == at::kDouble));
        CHECK(furthest(before, both.forward(image)) < 1e-12);
      }
}

TEST_CASE("folding is done in float64 and cast once: bfloat16 weights are the exact ones, rounded") {
  for (const bool norm_first : {false, true}) {
    ConvAndNorm both({.in_channels = 16, .out_channels = 8, .kernel_size = 3, .bias = false}, {.channels = 8},
                     norm_first);
    const auto scale = (both.norm->running_var.to(at::kDouble) + 1e-5).rsqrt() * both.norm->weight.to(at::kDouble);
    const auto exact = both.conv->weight.to(at::kDouble) * scale.view({-1, 1, 1, 1});
    const auto image = image_of({2, 16, 9, 7});
    const auto before = both.forward(image);
    prepare_for_inference(both, {.precision = at::kBFloat16, .format = at::MemoryFormat::ChannelsLast, .verify = true});
    CHECK((both.conv->weight.scalar_type() == at::kBFloat16));
    CHECK(both.conv->weight.is_contiguous(at::MemoryFormat::ChannelsLast));
    CHECK(at::equal(both.conv->weight, exact.to(at::kBFloat16)));
    CHECK(furthest(before, both.forward(image.to(at::kBFloat16))) < 0.02);
  }
}

TEST_CASE("a plan's precision and format are those of the weights, and float64 stays what it is") {
  nn::Conv conv({.in_channels = 3, .out_channels = 5, .kernel_size = 3});
  nn::Linear linear(3, 5);
  conv.prepare_for_inference({.precision = at::kBFloat16, .format = at::MemoryFormat::ChannelsLast, .verify = true});
  linear.prepare_for_inference({.precision = at::kBFloat16, .verify = true});
  for (const auto& tensor : {conv.weight, conv.bias, linear.weight, linear.bias})
    CHECK((tensor.scalar_type() == at::kBFloat16));
  CHECK(conv.weight.is_contiguous(at::MemoryFormat::ChannelsLast));
  CHECK((conv.forward(image_of({1, 3, 8, 8}, at::kBFloat16)).scalar_type() == at::kBFloat16));
  nn::Linear exact(3, 5), raised(3, 5);
  to_double(exact);
  exact.prepare_for_inference({});
  raised.prepare_for_inference({.precision = at::kDouble});
  CHECK((exact.weight.scalar_type() == at::kDouble));
  CHECK((raised.weight.scalar_type() == at::kDouble));
}

TEST_CASE("under autocast, layers in bfloat16 answer as those that autocast casts") {
  torch::nn::Module owner;
  nn::ConvNormAct block(owner, nn::conv_bn("block"), {.in_channels = 3, .out_channels = 8, .kernel_size = 3});
  const auto linear = owner.register_module("linear", std::make_shared<nn::Linear>(8, 4));
  fill_by_name(owner);
  owner.eval();
  const c10::AutoGradMode no_grad(false);
  const auto answer = [&] {
    at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
    at::autocast::set_autocast_enabled(at::kCPU, true);
    const auto y = linear->forward(block.forward(image_of({2, 3, 8, 8})).mean({2, 3}));
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, false);
    return y;
  };
  const auto before = answer();
  prepare_for_inference(owner, {.precision = at::kBFloat16});
  const auto after = answer();
  CHECK((after.scalar_type() == at::kBFloat16));
  CHECK(furthest(before, after) < 0.02);
}

TEST_CASE("a layer whose inference form differs is found, and named") {
  ConvAndNorm both({.in_channels = 3, .out_channels = 4, .kernel_size = 3, .bias = false}, {.channels = 4});
  {
    const c10::AutoGradMode no_grad(false);
    both.norm->weight.fill_(1e6);  // float16 ends at 65504
  }
  std::string message;
  try {
    prepare_for_inference(both, {.precision = at::kHalf, .verify = true});
  } catch (const PluginError& error) {
    message = error.what();
  }
  CHECK(message.starts_with("norm: batch norm: its inference form differs from its training form by "));
  nn::Linear linear(3, 4);
  {
    const c10::AutoGradMode no_grad(false);
    linear.weight.fill_(1e6);
  }
  CHECK_THROWS_AS(linear.prepare_for_inference({.precision = at::kHalf, .verify = true}), PluginError);
  CHECK_THROWS_AS(nn::require_same("layer", at::ones({2}), at::ones({2}) * 1.01, at::kFloat), PluginError);
  nn::require_same("layer", at::ones({2}), at::ones({2}) * 1.01, at::kBFloat16);
}

TEST_CASE("a norm follows a convolution to its own channels, and one convolution takes in one norm") {
  const auto conv = std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = 3, .out_channels = 4, .kernel_size = 3});
  nn::BatchNorm first({.channels = 4}), second({.channels = 4}), other({.channels = 5});
  CHECK_THROWS_AS(other.follows(conv), PluginError);
  first.follows(conv);
  CHECK_THROWS_AS(second.follows(conv), PluginError);
}

TEST_CASE("a norm without a convolution keeps its form") {
  nn::BatchNorm norm({.channels = 4, .activation = nn::Activation::relu});
  fill_by_name(norm);
  norm.eval();
  const auto image = image_of({2, 4, 9, 7});
  const auto before = norm.forward(image);
  prepare_for_inference(norm, {.precision = at::kBFloat16, .verify = true});
  CHECK(at::equal(before, norm.forward(image)));
  CHECK(before.min().item<float>() == 0);
}

TEST_CASE("a prepared block moves to another type as a whole") {
  torch::nn::Module owner;
  nn::ConvNormAct block(owner, nn::conv_bn(""), {.in_channels = 3, .out_channels = 5, .kernel_size = 1});
  fill_by_name(owner);
  owner.eval();
  const auto image = image_of({1, 3, 4, 4});
  const auto before = block.forward(image);
  prepare_for_inference(owner);
  owner.to(at::kDouble);
  CHECK(furthest(before, block.forward(image.to(at::kDouble))) < 1e-5);
}
