// The layers and blocks in nn/: against LibTorch's own, their two forms, their statistics over ranks, and resizing by
// hand-computed numbers.
#include <barrier>
#include <thread>

#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>
#include <torch/nn/functional/activation.h>
#include <torch/nn/modules/batchnorm.h>
#include <torch/nn/modules/conv.h>
#include <torch/nn/modules/linear.h>

#include "support/test.h"

#include <sectile/error.h>
#include <sectile/nn/depthwise_separable_conv.h>
#include <sectile/nn/inference.h>
#include <sectile/nn/inverted_residual.h>
#include <sectile/nn/linear.h>
#include <sectile/nn/pyramid_pooling.h>
#include <sectile/nn/resize.h>

#include "parity/name_hash.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// The largest difference, in units of the largest value of a.
double furthest(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  const auto wanted = a.to(at::kDouble);
  return ((wanted - b.to(at::kDouble)).abs().max() / wanted.abs().max().clamp_min(1e-30)).item<double>();
}

double precise(at::ScalarType type) { return type == at::kDouble ? 1e-12 : 1e-6; }

at::Tensor image_of(at::IntArrayRef shape, at::ScalarType type = at::kFloat) { return formula_picture(shape).to(type); }

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

// Ranks as threads of this process. Every thread adds in the same order, so that all get the same sum.
class Meeting {
 public:
  explicit Meeting(int count) : barrier_(count), parts_(static_cast<std::size_t>(count)) {}
  int count() const { return static_cast<int>(parts_.size()); }
  at::Tensor sum(std::size_t rank, const at::Tensor& value) {
    parts_[rank] = value;
    barrier_.arrive_and_wait();
    auto total = parts_[0].clone();
    for (std::size_t i = 1; i < parts_.size(); ++i) total += parts_[i];
    barrier_.arrive_and_wait();
    return total;
  }

 private:
  std::barrier<> barrier_;
  std::vector<at::Tensor> parts_;
};
struct Member final : Ranks {
  Member(std::shared_ptr<Meeting> all, std::size_t own) : meeting(std::move(all)), rank(own) {}
  int count() const override { return meeting->count(); }
  at::Tensor sum(const at::Tensor& value) const override { return meeting->sum(rank, value); }

  std::shared_ptr<Meeting> meeting;
  std::size_t rank;
};

struct NormRun {
  at::Tensor output, of_input, of_weight, of_bias, mean, variance;
};

NormRun run_norm(nn::BatchNorm& norm, const at::Tensor& input, const at::Tensor& gradient) {
  const auto x = input.clone().set_requires_grad(true);
  const auto output = norm.forward(x);
  output.backward(gradient);
  return {output.detach(), x.grad(), norm.weight.grad(), norm.bias.grad(), norm.running_mean, norm.running_var};
}

std::shared_ptr<nn::BatchNorm> filled_norm(int channels, at::ScalarType type, double momentum = 0.1) {
  auto norm = std::make_shared<nn::BatchNorm>(nn::BatchNormOptions{.channels = channels, .momentum = momentum});
  if (type == at::kDouble) to_double(*norm);
  fill_by_name(*norm);
  return norm;
}

// The same batch in parts of these sizes, one for each rank: outputs and gradients of the input are put together again,
// those of the parameters added, and every rank's running statistics must agree.
NormRun run_ranks(const at::Tensor& input, const at::Tensor& gradient, const std::vector<std::int64_t>& sizes) {
  const auto meeting = std::make_shared<Meeting>(static_cast<int>(sizes.size()));
  const auto inputs = input.split_with_sizes(sizes), gradients = gradient.split_with_sizes(sizes);
  std::vector<std::shared_ptr<nn::BatchNorm>> norms;
  std::vector<NormRun> runs(sizes.size());
  std::vector<std::thread> threads;
  for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
    norms.push_back(filled_norm(static_cast<int>(input.size(1)), input.scalar_type()));
    CHECK(connect(*norms.back(), std::make_shared<Member>(meeting, rank)) == 1);
  }
  for (std::size_t rank = 0; rank < sizes.size(); ++rank)
    threads.emplace_back([&, rank] { runs[rank] = run_norm(*norms[rank], inputs[rank], gradients[rank]); });
  for (auto& thread : threads) thread.join();
  NormRun whole = runs[0];
  for (std::size_t rank = 1; rank < runs.size(); ++rank) {
    whole.output = at::cat({whole.output, runs[rank].output});
    whole.of_input = at::cat({whole.of_input, runs[rank].of_input});
    whole.of_weight = whole.of_weight + runs[rank].of_weight;
    whole.of_bias = whole.of_bias + runs[rank].of_bias;
    CHECK(at::equal(whole.mean, runs[rank].mean));
    CHECK(at::equal(whole.variance, runs[rank].variance));
  }
  return whole;
}

at::Tensor normal(at::IntArrayRef shape, std::uint64_t seed) {
  at::manual_seed(seed);
  return at::randn(shape, at::kDouble);
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

TEST_CASE("statistics over ranks are those of one batch of all, whatever part each rank has") {
  for (const auto type : {at::kFloat, at::kDouble})
    for (const std::vector<std::int64_t>& sizes :
         {std::vector<std::int64_t>{4, 4}, {1, 7}, {2, 2, 2, 2}, {1, 4, 2, 1}, {0, 8}})
      for (const std::vector<std::int64_t>& shape :
           {std::vector<std::int64_t>{8, 5, 6, 7}, std::vector<std::int64_t>{8, 5, 2, 3, 7}}) {
        CAPTURE(sizes.size());
        CAPTURE(sizes[0]);
        const double close = type == at::kDouble ? 1e-10 : 1e-5;
        const auto x = normal(shape, 1).to(type), gradient = normal(shape, 2).to(type);
        const auto wanted = run_norm(*filled_norm(5, type), x, gradient);
        const auto answer = run_ranks(x, gradient, sizes);
        CHECK(furthest(wanted.output, answer.output) < close);
        CHECK(furthest(wanted.of_input, answer.of_input) < close);
        CHECK(furthest(wanted.of_weight, answer.of_weight) < close);
        CHECK(furthest(wanted.of_bias, answer.of_bias) < close);
        CHECK(furthest(wanted.mean, answer.mean) < close);
        CHECK(furthest(wanted.variance, answer.variance) < close);
      }
}

// E[x²] - E[x]² has no right digit of this variance in float32.
TEST_CASE("statistics over ranks keep their digits where the mean is far from 0") {
  const std::vector<std::int64_t> shape{8, 5, 32, 32};
  const auto x = (normal(shape, 1) + 1e4).to(at::kFloat);
  const auto gradient = normal(shape, 2).to(at::kFloat);
  const auto exact = run_norm(*filled_norm(5, at::kDouble), x.to(at::kDouble), gradient.to(at::kDouble));
  const auto alone = run_norm(*filled_norm(5, at::kFloat), x, gradient);
  for (const std::vector<std::int64_t>& sizes : {std::vector<std::int64_t>{4, 4}, {1, 7}, {1, 4, 2, 1}}) {
    const auto ranks = run_ranks(x, gradient, sizes);
    const auto check = [&](const at::Tensor NormRun::*part) {
      const auto least = 1e-7;  // one rounding of float32
      CHECK(furthest(exact.*part, ranks.*part) <= 2 * std::max(furthest(exact.*part, alone.*part), least));
    };
    check(&NormRun::output);
    check(&NormRun::of_input);
    check(&NormRun::of_weight);
    check(&NormRun::of_bias);
    check(&NormRun::mean);
    CHECK(furthest(exact.variance, ranks.variance) < 1e-3);
    MESSAGE("at mean 1e4: ", furthest(exact.output, ranks.output), " off over ranks, ",
            furthest(exact.output, alone.output), " on one; input gradient ", furthest(exact.of_input, ranks.of_input),
            " and ", furthest(exact.of_input, alone.of_input), "; variance ", furthest(exact.variance, ranks.variance),
            " and ", furthest(exact.variance, alone.variance));
  }
}

TEST_CASE("statistics over ranks can be learned without weight and bias, and in bfloat16") {
  const auto x = normal({4, 3, 5, 5}, 1);
  struct Twin final : Ranks {
    int count() const override { return 2; }
    at::Tensor sum(const at::Tensor& value) const override { return 2 * value; }
  };
  nn::BatchNorm alone({.channels = 3, .affine = false}), shared({.channels = 3, .affine = false});
  shared.use(std::make_shared<Twin>());
  const auto a = x.clone().set_requires_grad(true), b = x.clone().set_requires_grad(true);
  to_double(alone);
  to_double(shared);
  const auto wanted = alone.forward(a), answer = shared.forward(b);
  CHECK(furthest(wanted, answer) < 1e-12);
  wanted.pow(3).sum().backward();
  answer.pow(3).sum().backward();
  CHECK(furthest(a.grad(), b.grad()) < 1e-12);
  nn::BatchNorm half({.channels = 3});
  half.use(std::make_shared<Twin>());
  const auto c = x.to(at::kBFloat16).set_requires_grad(true);
  const auto in_half = half.forward(c);
  CHECK((in_half.scalar_type() == at::kBFloat16));
  CHECK(furthest(wanted, in_half) < 0.02);
  in_half.pow(3).sum().backward();
  CHECK((c.grad().scalar_type() == at::kBFloat16));
  CHECK((half.weight.grad().scalar_type() == at::kFloat));
}

TEST_CASE("one value per channel cannot be trained on alone, and can where other ranks add theirs") {
  const auto pixel = image_of({1, 3, 1, 1});
  nn::BatchNorm norm({.channels = 3});
  CHECK_THROWS_AS(norm.forward(pixel), DataError);
  norm.use(std::make_shared<Member>(std::make_shared<Meeting>(1), 0));
  CHECK_THROWS_AS(norm.forward(pixel), DataError);
  norm.eval();
  CHECK(norm.forward(pixel).isfinite().all().item<bool>());
  const auto two = run_ranks(normal({2, 3, 1, 1}, 1), normal({2, 3, 1, 1}, 2), {1, 1});
  CHECK(two.output.isfinite().all().item<bool>());
  CHECK(two.variance.isfinite().all().item<bool>());
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
