// What layers do in training alone: stochastic depth and gradient checkpointing.
#include <ATen/ATen.h>
#include <ATen/autocast_mode.h>

#include <sectile/error.h>
#include <sectile/nn/backbone_options.h>
#include <sectile/nn/checkpoint.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/stochastic_depth.h>

#include "nn_support.h"

using namespace sectile;
using namespace sectile::test;

namespace {

// Two blocks with dropout between them.
struct TwoBlocks final : torch::nn::Module {
  TwoBlocks()
      : first(*this, nn::conv_bn("first"), {.in_channels = 3, .out_channels = 4, .kernel_size = 3}),
        second(*this, nn::conv_bn("second"), {.in_channels = 4, .out_channels = 2, .kernel_size = 3}) {
    fill_by_name(*this);
  }
  at::Tensor run(const at::Tensor& x) { return second.forward(at::dropout(first.forward(x), 0.5, is_training())); }

  nn::ConvNormAct first, second;
};

}  // namespace

TEST_CASE("stochastic depth drops whole images in training, and keeps the mean") {
  at::manual_seed(3);
  const auto branch = at::ones({4000, 2, 3});
  const auto dropped = nn::stochastic_depth(branch, 0.25, true);
  const auto per_image = dropped.flatten(1);
  CHECK(at::equal(per_image.amin(1), per_image.amax(1)));
  CHECK(((dropped == 0) | ((dropped - 1 / 0.75).abs() < 1e-6)).all().item<bool>());
  CHECK(dropped.mean().item<double>() == doctest::Approx(1).epsilon(0.03));
  CHECK(at::equal(nn::stochastic_depth(branch, 0.25, false), branch));
  CHECK(at::equal(nn::stochastic_depth(branch, 0, true), branch));
}

TEST_CASE("the rate of stochastic depth rises evenly to that of the last block") {
  nn::BackboneOptions options;
  options.drop_path_rate = 0.3;
  CHECK(options.drop_path_rate_of(0, 4) == 0);
  CHECK(options.drop_path_rate_of(1, 4) == doctest::Approx(0.1));
  CHECK(options.drop_path_rate_of(3, 4) == doctest::Approx(0.3));
  CHECK(options.drop_path_rate_of(0, 1) == doctest::Approx(0.3));
}

TEST_CASE("a stage that runs twice gives the gradients, statistics and random numbers of one run") {
  for (const bool of_input : {true, false}) {
    CAPTURE(of_input);
    TwoBlocks once, twice;
    const auto image = image_of({2, 3, 12, 10});
    auto a = image.clone().set_requires_grad(of_input), b = image.clone().set_requires_grad(of_input);
    at::manual_seed(5);
    const auto expected = once.run(a);
    at::manual_seed(5);
    int runs = 0;
    const auto found = nn::checkpoint(
        [&](const at::Tensor& x) {
          CHECK(nn::recomputing() == (runs == 1));
          ++runs;
          return twice.run(x);
        },
        b, twice.parameters());
    const auto next = at::rand({3});
    CHECK(at::equal(expected, found));
    CHECK(runs == 1);
    expected.square().sum().backward();
    at::manual_seed(9);
    const auto drawn = at::rand({3});
    at::manual_seed(9);
    found.square().sum().backward();
    CHECK(runs == 2);
    CHECK(at::equal(drawn, at::rand({3})));  // the second run takes no random numbers of others
    CHECK(!nn::recomputing());
    for (const auto& item : once.named_parameters()) {
      CAPTURE(item.key());
      CHECK(furthest(item.value().grad(), twice.named_parameters()[item.key()].grad()) < 1e-6);
    }
    if (of_input) CHECK(furthest(a.grad(), b.grad()) < 1e-6);
    for (const auto& item : once.named_buffers()) CHECK(at::equal(item.value(), twice.named_buffers()[item.key()]));
    CHECK(twice.named_buffers()["first.bn.num_batches_tracked"].item<int>() == 1);
  }
}

TEST_CASE("a stage runs once where no gradients are recorded, and keeps autocast for its second run") {
  TwoBlocks net;
  int runs = 0;
  std::vector<at::ScalarType> types;
  const auto stage = [&](const at::Tensor& x) {
    ++runs;
    const auto y = net.first.forward(x);
    types.push_back(y.scalar_type());
    return y;
  };
  const auto image = image_of({2, 3, 12, 10});
  {
    const c10::AutoGradMode no_grad(false);
    CHECK(!nn::checkpoint(stage, image, net.parameters()).requires_grad());
  }
  CHECK(runs == 1);
  types.clear();
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const auto output = nn::checkpoint(stage, image, net.parameters());
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  output.sum().backward();
  CHECK(types == std::vector<at::ScalarType>{at::kBFloat16, at::kBFloat16});
  CHECK(!at::autocast::is_autocast_enabled(at::kCPU));
}

TEST_CASE("a stage that runs twice under autocast does not leave its weights to the next step") {
  const auto trained = [](bool checkpointed) {
    TwoBlocks net;
    const auto image = image_of({2, 3, 12, 10});
    std::vector<double> losses;
    for (int step = 0; step < 3; ++step) {
      at::manual_seed(step);
      at::Tensor output;
      at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
      at::autocast::set_autocast_enabled(at::kCPU, true);
      at::autocast::increment_nesting();
      const auto stage = [&](const at::Tensor& x) { return net.run(x); };
      output = checkpointed ? nn::checkpoint(stage, image, net.parameters()) : stage(image);
      if (at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
      at::autocast::set_autocast_enabled(at::kCPU, false);
      const auto loss = output.to(at::kFloat).square().sum();
      losses.push_back(loss.item<double>());
      net.zero_grad();
      loss.backward();
      const c10::AutoGradMode no_grad(false);
      for (auto& parameter : net.parameters()) parameter.sub_(parameter.grad(), 0.01);
    }
    return losses;
  };
  const auto once = trained(false);
  CHECK(once[1] != once[0]);
  CHECK((trained(true) == once));
}

TEST_CASE("more zeros at the end are those of TensorFlow's same padding") {
  nn::Conv conv({.in_channels = 1, .out_channels = 1, .kernel_size = 3, .stride = 2, .end_padding = 1, .bias = false});
  {
    const c10::AutoGradMode no_grad(false);
    conv.weight.fill_(1);
  }
  // Rows 0..2 and 2..4, of which row 4 is a zero; the same for columns.
  const auto x = at::arange(16, at::kFloat).view({1, 1, 4, 4});
  CHECK(at::equal(conv.forward(x).flatten(), at::tensor({45.f, 39.f, 66.f, 50.f})));
  const nn::Conv joined({.in_channels = 2, .out_channels = 3, .kernel_size = 3, .stride = 2, .end_padding = {0, 1}});
  const auto both = image_of({1, 2, 7, 6});
  CHECK(furthest(joined.forward(both), joined.forward(both.narrow(1, 0, 1), both.narrow(1, 1, 1))) < 1e-6);
  CHECK_THROWS_WITH_AS(
      nn::Conv({.in_channels = 1, .out_channels = 1, .kernel_size = 2, .end_padding = 1, .transposed = true}),
      "convolution: is transposed and has end_padding, which only others have; use output_padding", PluginError);
}
