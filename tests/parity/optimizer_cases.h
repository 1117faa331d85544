// What every optimizer's test does: the 20 steps of optimizers.py, a resumed run, other layouts, and states that do not
// fit.
#pragma once

#include <fstream>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <nlohmann/json.hpp>

#include <sectile/optimizer.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

inline at::Tensor made(std::uint64_t stream, at::IntArrayRef shape, at::ScalarType type) {
  Random random{5, stream};
  auto values = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < values.numel(); ++i) values.data_ptr<double>()[i] = random.uniform(-1, 1);
  return values.to(type);
}

// The problem of optimizers.py.
struct Regression {
  at::Tensor weight, bias, filters, x, target, z;
  std::vector<ParameterGroup> groups;

  explicit Regression(at::ScalarType type)
      : weight(made(0, {4, 5}, type).requires_grad_()),
        bias(made(1, {5}, type).requires_grad_()),
        filters(made(4, {2, 3, 2, 2}, type).contiguous(at::MemoryFormat::ChannelsLast).requires_grad_()),
        x(made(2, {8, 4}, type)),
        target(made(3, {8, 5}, type)),
        z(made(5, {2, 3, 2, 2}, type)),
        groups{{.names = {"weight", "filters"}, .parameters = {weight, filters}},
               {.lr_scale = 0.1, .decay = false, .names = {"bias"}, .parameters = {bias}}} {}

  std::vector<at::Tensor> parameters() const { return {weight, bias, filters}; }

  void step(Optimizer& optimizer, int number) {
    for (auto parameter : parameters()) parameter.mutable_grad().reset();
    const auto first = (at::tanh(at::matmul(x, weight) + bias) - target).square().mean();
    (first + (at::tanh(filters * z) - 0.5).square().mean()).backward();
    if (number == 7) bias.mutable_grad().reset();
    const c10::NoGradGuard no_grad;
    optimizer.step(groups, 0.05);
  }
};

inline std::shared_ptr<Optimizer> optimizer(const std::string& name, Json options = Json::object()) {
  options["type"] = name;
  return make<Optimizer>(options.dump());
}

inline void check_close(const at::Tensor& found, const Json& expected, double tolerance) {
  const auto values = found.detach().to(at::kDouble).contiguous().flatten();
  REQUIRE(values.numel() == static_cast<std::int64_t>(expected.size()));
  for (std::size_t i = 0; i < expected.size(); ++i)
    CHECK(std::abs(values[static_cast<std::int64_t>(i)].item<double>() - expected[i].get<double>()) <= tolerance);
}

inline void check_parity(const std::string& name, std::size_t count) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/optimizers.json");
  const auto cases = Json::parse(file)[name];
  REQUIRE(cases.size() == count);
  for (const auto& expected : cases) {
    CAPTURE(expected["options"].dump());
    const bool wide = expected["type"] == "float64";
    CAPTURE(wide);
    const auto made = optimizer(name, expected["options"]);
    Regression problem(wide ? at::kDouble : at::kFloat);
    for (int step = 0; step < 20; ++step) problem.step(*made, step);
    check_close(problem.weight, expected["weight"], wide ? 1e-12 : 2e-6);
    check_close(problem.bias, expected["bias"], wide ? 1e-12 : 2e-6);
    check_close(problem.filters, expected["filters"], wide ? 1e-12 : 2e-6);
  }
}

// As a file gives it: of memory of its own, in the plain layout.
inline std::map<std::string, ParameterState> stored(const Optimizer& optimizer) {
  auto state = optimizer.state();
  for (auto& [parameter, slots] : state)
    for (auto& [slot, tensor] : slots) tensor = tensor.clone(at::MemoryFormat::Contiguous);
  return state;
}

// The second part of a run that stopped, as the run that did not; and with the slots that are named.
inline void check_resumed(const std::string& name, const Json& options, const std::vector<std::string>& slots) {
  const auto unbroken = optimizer(name, options), other = optimizer(name, options);
  Regression problem(at::kFloat), resumed(at::kFloat);
  for (int step = 0; step < 3; ++step) problem.step(*unbroken, step);
  const auto before = problem.parameters(), after = resumed.parameters();
  for (std::size_t i = 0; i < before.size(); ++i) after[i].detach().copy_(before[i]);

  const auto state = stored(*unbroken);
  REQUIRE(state.size() == 3);
  for (const auto& [parameter, held] : state) {
    std::vector<std::string> names;
    for (const auto& [slot, tensor] : held) names.push_back(slot);
    CHECK(names == slots);
    if (held.count("step")) {
      CHECK(held.at("step").sizes().empty());
      CHECK((held.at("step").scalar_type() == at::kFloat));
      CHECK(held.at("step").item<float>() == 3);
    }
  }
  other->load(state);
  for (int step = 3; step < 9; ++step) {
    problem.step(*unbroken, step);
    resumed.step(*other, step);
  }
  for (std::size_t i = 0; i < before.size(); ++i) CHECK(at::equal(before[i], after[i]));
}

// Whether a parameter is channels-last, and what layout its gradient has, changes no number.
inline void check_layouts(const std::string& name) {
  const auto start = made(0, {2, 3, 2, 2}, at::kFloat), gradient = made(1, {2, 3, 2, 2}, at::kFloat);
  const auto run = [&](at::MemoryFormat format) {
    auto parameter = start.clone(format).requires_grad_();
    parameter.mutable_grad() = gradient.clone();
    const std::vector<ParameterGroup> groups{{.names = {"p"}, .parameters = {parameter}}};
    const c10::NoGradGuard no_grad;
    const auto first = optimizer(name), second = optimizer(name);
    first->step(groups, 0.1);
    second->load(stored(*first));
    second->step(groups, 0.1);
    CHECK(at::equal(parameter.grad(), gradient));
    return parameter.detach();
  };
  const auto plain = run(at::MemoryFormat::Contiguous), last = run(at::MemoryFormat::ChannelsLast);
  CHECK(at::allclose(plain, last, 1e-6, 1e-6));  // sums over a parameter, as of its norm, run in another order
}

// Parameters of several types in one group; bfloat16 has 8 bits, so that it goes where float32 goes by about 1 %.
inline void check_narrow_types(const std::string& name, const Json& options = Json::object()) {
  auto narrow = made(0, {4, 5}, at::kFloat).to(at::kBFloat16), wide = narrow.to(at::kFloat);
  narrow.mutable_grad() = made(1, {4, 5}, at::kFloat).to(at::kBFloat16);
  wide.mutable_grad() = narrow.grad().to(at::kFloat);
  const std::vector<ParameterGroup> groups{{.names = {"narrow", "wide"}, .parameters = {narrow, wide}}};
  const auto made = optimizer(name, options);
  const c10::NoGradGuard no_grad;
  for (int step = 0; step < 3; ++step) made->step(groups, 0.05);
  CHECK((narrow.scalar_type() == at::kBFloat16));
  CHECK(at::allclose(narrow.to(at::kFloat), wide, 2e-2, 2e-2));
}

inline void check_bad_states(const std::string& name, const std::string& slot) {
  Regression problem(at::kFloat);
  const auto first = optimizer(name);
  problem.step(*first, 0);
  const auto good = stored(*first);

  auto state = good;
  state["bias"].erase(slot);
  const auto missing = name + ": the state of parameter \"bias\" has no \"" + slot + "\"";
  CHECK_THROWS_WITH_AS(first->load(state), doctest::Contains(missing.c_str()), DataError);
  state = good;
  state["bias"]["square_avg"] = at::zeros({5});
  CHECK_THROWS_WITH_AS(first->load(state), doctest::Contains("has a \"square_avg\", which is not kept here"),
                       DataError);
  state = good;
  state["weight"][slot] = at::zeros({3});
  first->load(state);
  const auto shape = name + ": the \"" + slot + "\" of parameter \"weight\" is [3], and the parameter [4 x 5]";
  CHECK_THROWS_WITH_AS(problem.step(*first, 1), doctest::Contains(shape.c_str()), DataError);
  if (good.at("weight").count("step") == 0) return;
  state = good;
  state["weight"]["step"] = at::zeros({2});
  CHECK_THROWS_WITH_AS(first->load(state), doctest::Contains("\"step\" of parameter \"weight\" has 2 elements"),
                       DataError);
}

}  // namespace sectile::test
