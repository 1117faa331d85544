#include <fstream>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include <sectile/optimizer.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

at::Tensor made(std::uint64_t stream, at::IntArrayRef shape, at::ScalarType type) {
  Random random{5, stream};
  auto values = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.uniform(-1, 1);
  return values.to(type);
}

// The problem of tests/parity/optimizers.py.
struct Regression {
  at::Tensor weight, bias, x, target;
  std::vector<ParameterGroup> groups;

  Regression(at::ScalarType type, double lr_scale)
      : weight(made(0, {4, 5}, type).requires_grad_()),
        bias(made(1, {5}, type).requires_grad_()),
        x(made(2, {8, 4}, type)),
        target(made(3, {8, 5}, type)),
        groups{{.names = {"weight"}, .parameters = {weight}},
               {.lr_scale = lr_scale, .decay = false, .names = {"bias"}, .parameters = {bias}}} {}

  void step(Optimizer& optimizer, int number) {
    weight.mutable_grad().reset();
    bias.mutable_grad().reset();
    (at::tanh(at::matmul(x, weight) + bias) - target).square().mean().backward();
    if (number == 7) bias.mutable_grad().reset();
    const c10::NoGradGuard no_grad;
    optimizer.step(groups, 0.05);
  }
};

std::shared_ptr<Optimizer> adamw(nlohmann::json options = nlohmann::json::object()) {
  options["type"] = "adamw";
  return make<Optimizer>(options.dump());
}

void check_close(const at::Tensor& found, const std::vector<double>& expected, double tolerance) {
  const auto values = found.detach().to(at::kDouble).flatten();
  REQUIRE(values.numel() == static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(std::abs(values[static_cast<std::int64_t>(i)].item<double>() - expected[i]) <= tolerance);
}

}  // namespace

TEST_CASE("20 steps of adamw give the parameters that torch.optim.AdamW gives") {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/optimizers.json");
  const auto cases = nlohmann::json::parse(file)["adamw"];
  REQUIRE(cases.size() == 8);
  for (const auto& expected : cases) {
    CAPTURE(expected.dump());
    const bool wide = expected["type"] == "float64";
    const auto optimizer = adamw(expected["options"]);
    Regression problem(wide ? at::kDouble : at::kFloat, expected["lr_scale"]);
    for (int step = 0; step < 20; ++step) problem.step(*optimizer, step);
    check_close(problem.weight, expected["weight"], wide ? 1e-12 : 2e-6);
    check_close(problem.bias, expected["bias"], wide ? 1e-12 : 2e-6);
  }
}

TEST_CASE("adamw with its state loaded goes on as if it had never stopped") {
  for (const char* options : {R"({"amsgrad": false})", R"({"amsgrad": true})"}) {
    const auto unbroken = adamw(nlohmann::json::parse(options));
    Regression problem(at::kFloat, 1);
    for (int step = 0; step < 3; ++step) problem.step(*unbroken, step);
    Regression resumed(at::kFloat, 1);
    resumed.weight.set_data(problem.weight.detach().clone());
    resumed.bias.set_data(problem.bias.detach().clone());
    const auto other = adamw(nlohmann::json::parse(options));
    other->load(unbroken->state());
    for (int step = 3; step < 6; ++step) {
      problem.step(*unbroken, step);
      resumed.step(*other, step);
    }
    CHECK(at::equal(problem.weight, resumed.weight));
    CHECK(at::equal(problem.bias, resumed.bias));
  }
}

TEST_CASE("adamw treats a channels-last parameter as any other, whatever the layout of its gradient and state") {
  const auto start = made(0, {2, 3, 2, 2}, at::kFloat);
  const auto gradient = made(1, {2, 3, 2, 2}, at::kFloat);
  const auto run = [&](at::MemoryFormat format) {
    auto parameter = start.clone(format).requires_grad_();
    parameter.mutable_grad() = gradient.clone();
    const std::vector<ParameterGroup> groups{{.names = {"p"}, .parameters = {parameter}}};
    const c10::NoGradGuard no_grad;
    const auto first = adamw(), second = adamw();
    first->step(groups, 0.1);
    auto state = first->state();
    for (auto& [name, tensor] : state) tensor = tensor.contiguous();
    second->load(state);
    second->step(groups, 0.1);
    return parameter.detach();
  };
  CHECK(at::equal(run(at::MemoryFormat::Contiguous), run(at::MemoryFormat::ChannelsLast)));
}

TEST_CASE("adamw refuses a state that lacks a part or has another shape, and names it") {
  Regression problem(at::kFloat, 1);
  const auto optimizer = adamw();
  problem.step(*optimizer, 0);
  const auto with_amsgrad = adamw({{"amsgrad", true}});
  CHECK_THROWS_WITH_AS(with_amsgrad->load(optimizer->state()), doctest::Contains("\"max_exp_avg_sq.bias\""), DataError);
  auto state = optimizer->state();
  state["exp_avg.weight"] = at::zeros({3});
  optimizer->load(state);
  CHECK_THROWS_WITH_AS(problem.step(*optimizer, 1), doctest::Contains("\"weight\" has another shape"), DataError);
}

TEST_CASE("adamw refuses a beta of 1") {
  CHECK_THROWS_WITH_AS(adamw({{"betas", {0.9, 1}}}), doctest::Contains("/part/betas"), SpecError);
}
