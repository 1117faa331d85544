// 20 training steps as PyTorch takes them (tests/parity/training.py): forward, backward and optimizer together.
#include <cstdlib>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>

#include <sectile/loss.h>
#include <sectile/optimizer.h>

#include "support/test.h"

#include "parity/compare.h"
#include "upper/weights/files/torch/torch_file.h"
#include "upper/weights/weights.h"

using namespace sectile;
using namespace sectile::test;

namespace {

constexpr int kClasses = 5;
constexpr int kProjections = 8;

// double, of the given shape
at::Tensor numbers(const std::string& name, at::IntArrayRef shape) {
  auto values = at::empty(shape, at::kDouble);
  const auto hash = fnv1a(name);
  const auto count = values.numel();
  auto* value = values.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < count; ++i) value[i] = uniform(hash, i);
  return values;
}

Batch given_batch(std::size_t step, const std::vector<std::int64_t>& shape, at::ScalarType type) {
  Batch batch;
  batch.images = numbers("pictures/" + std::to_string(step), shape).to(type);
  const auto u = numbers("labels/" + std::to_string(step), {shape[0], shape[2], shape[3]});
  batch.labels = (((u + 1) / 2 * (kClasses + 1)).floor() - 1).to(at::kLong);
  return batch;
}

at::Tensor total(const Loss& loss, const Outputs& outputs, const Batch& batch) {
  auto sum = loss(outputs, batch)[0].value;
  for (const auto& more : outputs.auxiliary) sum = sum + 0.4 * loss(more, batch)[0].value;
  return sum;
}

std::vector<ParameterGroup> groups_of(torch::nn::Module& module) {
  std::vector<ParameterGroup> groups(2);
  groups[1].decay = false;
  for (const auto& item : module.named_parameters()) {
    auto& group = groups[item.value().dim() >= 2 ? 0 : 1];
    group.names.push_back(item.key());
    group.parameters.push_back(item.value());
  }
  return groups;
}

// As Python's module.to(dtype): counters stay whole numbers.
void convert(torch::nn::Module& module, at::ScalarType type) {
  const c10::AutoGradMode no_grad(false);
  for (auto& [name, tensor] : state_dict(module))
    if (tensor.is_floating_point()) tensor.set_data(tensor.to(type));
}

std::vector<double> train(const Json& expected, Model& model, at::ScalarType type) {
  const auto shape = expected["pictures"].get<std::vector<std::int64_t>>();
  const auto loss = make<Loss>(R"({"type": "cross_entropy"})", context(kClasses));
  const auto optimizer = make<Optimizer>(expected["optimizer"].dump());
  const double lr = expected["optimizer"]["lr"];
  auto& module = model.module();
  convert(module, type);
  fill_by_name(module);
  module.train();
  const auto groups = groups_of(module);
  std::vector<double> losses;
  for (std::size_t step = 0; step < expected["losses"].size(); ++step) {
    const auto batch = given_batch(step, shape, type);
    const auto value = total(*loss, model.forward(batch), batch);
    REQUIRE((value.scalar_type() == type));
    module.zero_grad();
    value.backward();
    const c10::AutoGradMode no_grad(false);
    optimizer->step(groups, lr);
    losses.push_back(value.item<double>());
  }
  return losses;
}

// Of |a - b| / |b|, out of the inner products with vectors that both sides make; see training.py.
double estimated_distance(const std::string& name, const at::Tensor& a, const Json& b) {
  const auto flat = a.detach().to(at::kDouble).contiguous().flatten();
  double sum = 0;
  for (int k = 0; k < kProjections; ++k) {
    const auto product = flat.dot(numbers(name + "/" + std::to_string(k), {flat.numel()})).item<double>();
    sum += std::pow(product - b[static_cast<std::size_t>(k) + 1].get<double>(), 2);
  }
  return std::sqrt(3.0 / kProjections * sum) / b[0].get<double>();
}

// For training.py --compare, which sees every element.
void dump(const std::string& name, torch::nn::Module& module) {
  const char* folder = std::getenv("SECTILE_DUMP");
  if (!folder) return;
  PythonDict tensors;
  for (const auto& [key, tensor] : state_dict(module)) tensors.emplace_back(key, tensor.detach());
  write_torch_file(std::filesystem::path(folder) / (name + ".pth"), tensors);
}

}  // namespace

TEST_CASE("20 steps of training in float64 give PyTorch's losses and parameters") {
  const auto all = expected("training");
  REQUIRE(all["cases"].size() == 6);
  for (const auto& one : all["cases"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const auto model = make<Model>(one["model"].dump(), context(kClasses));
    const auto losses = train(one, *model, at::kDouble);
    double worst_loss = 0, worst = 0;
    for (std::size_t step = 0; step < losses.size(); ++step)
      worst_loss = std::max(worst_loss, std::abs(losses[step] / one["losses"][step].get<double>() - 1));
    CHECK(worst_loss <= 1e-8);
    std::size_t compared = 0;
    for (const auto& [key, tensor] : state_dict(model->module())) {
      if (!tensor.is_floating_point()) continue;
      REQUIRE_MESSAGE(one["tensors"].contains(key), key);
      const double distance = estimated_distance(key, tensor, one["tensors"][key]);
      CHECK_MESSAGE(distance <= 1e-9, key);
      worst = std::max(worst, distance);
      ++compared;
    }
    CHECK(compared == one["tensors"].size());
    MESSAGE(name << ": losses within " << worst_loss << ", parameters within " << worst);
    dump(name, model->module());
  }
}

TEST_CASE("20 steps of training in float32 follow PyTorch's losses") {
  const auto all = expected("training");
  for (const auto& one : all["cases"]) {
    const std::string name = one["name"];
    CAPTURE(name);
    const auto model = make<Model>(one["model"].dump(), context(kClasses));
    const auto losses = train(one, *model, at::kFloat);
    double worst = 0;
    for (std::size_t step = 0; step < losses.size(); ++step)
      worst = std::max(worst, std::abs(losses[step] / one["losses_float32"][step].get<double>() - 1));
    CHECK(worst <= 1e-3);
    MESSAGE(name << ": losses within " << worst);
  }
}
