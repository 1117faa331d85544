// Compares a whole network with its original: names, outputs and gradients in float64, outputs in float32. The expected
// values are those of network.py. Included after support/test.h.
#pragma once

#include <functional>

#include "compare.h"
#include "upper/weights/loading.h"

namespace sectile::test {

using Forward = std::function<std::vector<at::Tensor>(const at::Tensor& images)>;

// Logits, then those of auxiliary outputs.
inline Forward logits_of(Model& model) {
  return [&model](const at::Tensor& images) {
    Batch batch;
    batch.images = images;
    const auto outputs = model.forward(batch);
    std::vector<at::Tensor> all{outputs.logits};
    for (const auto& auxiliary : outputs.auxiliary) all.push_back(auxiliary.logits);
    return all;
  };
}

// [first difference beyond the tolerance]; empty: none. In units of the largest value of a tensor.
inline double worst(const std::vector<at::Tensor>& outputs, const Json& wanted) {
  REQUIRE(outputs.size() == wanted.size());
  double most = 0;
  for (std::size_t i = 0; i < outputs.size(); ++i) most = std::max(most, distance(outputs[i], wanted[i]));
  return most;
}

inline at::Tensor by_hash(const std::string& name, const at::Tensor& like) {
  const auto hash = fnv1a(name);
  std::vector<double> values(static_cast<std::size_t>(like.numel()));
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = uniform(hash, static_cast<std::int64_t>(i));
  return at::from_blob(values.data(), like.sizes(), at::kDouble).clone();
}

inline void check_gradients(torch::nn::Module& module, const Json& one) {
  std::map<std::string, at::Tensor> parameters;
  for (const auto& item : module.named_parameters())
    if (item.value().requires_grad()) parameters[item.key()] = item.value();
  REQUIRE(parameters.size() == one["gradients"].size());
  const double floor = 1e-9 * one["largest_gradient"].get<double>();
  std::size_t i = 0;
  for (const auto& [name, parameter] : parameters) {
    const double expected = one["gradients"][i++].get<double>();
    REQUIRE_MESSAGE(parameter.grad().defined(), name);
    const double found = (parameter.grad() * by_hash("gradient " + name, parameter)).sum().item<double>();
    const double allowed = std::max(1e-6 * std::abs(expected), floor);
    CHECK_MESSAGE(std::abs(found - expected) <= allowed, name << ": " << found << ", the original " << expected);
  }
}

// What the original's state dict has, and nothing else. Tensors that the original holds and never uses are not made,
// but a file may have them.
inline void check_state_names(torch::nn::Module& module, const Json& wanted) {
  const auto lines = names_and_sizes(module);
  std::string text;
  for (const auto& line : lines) text += (text.empty() ? "" : "\n") + line;
  std::ostringstream digest;
  digest << std::hex << std::setfill('0') << std::setw(16) << fnv1a(text);
  CHECK(lines.size() == wanted["tensors"].get<std::size_t>());
  CHECK_MESSAGE(digest.str() == wanted["names"].get<std::string>(), "names or shapes differ:\n" << text);
  CHECK(parameter_count(module) == wanted["parameters"].get<std::int64_t>());
  StateDict file;
  for (const auto& [name, tensor] : state_dict(module)) file[name] = tensor.detach().clone();
  for (const auto& name : wanted["unused"]) file[name.get<std::string>()] = at::zeros({1});
  const auto report = load_state(module, file);
  CHECK(report.missing.empty());
  for (const auto& name : report.unexpected) CHECK_MESSAGE(false, "a file of the original has " << name);
}

// Outputs and gradients in training mode.
inline void check_training(torch::nn::Module& module, const Json& one, const Forward& forward,
                           const at::Tensor& images) {
  module.zero_grad();
  module.train();
  const auto outputs = forward(images);
  at::Tensor loss;
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    const auto part = (outputs[k] * by_hash("output " + std::to_string(k), outputs[k])).mean();
    loss = k == 0 ? part : loss + part;
  }
  loss.backward();
  CHECK(worst(outputs, one["train"]) < 1e-6);
  check_gradients(module, one);
}

// forward: the original's outputs, in the order of the script's. Large images are compared in evaluation mode only.
inline void check_parity(torch::nn::Module& module, const Json& wanted, const Forward& forward) {
  check_state_names(module, wanted);
  const auto for_each_case = [&](const auto& check) {
    for (const auto& one : wanted["cases"]) {
      const auto shape = one["input"].get<std::vector<std::int64_t>>();
      CAPTURE(shape);
      check(one, formula_picture(shape));
    }
  };
  module.to(at::kDouble);
  fill_by_name(module);
  for_each_case([&](const Json& one, const at::Tensor& images) {
    if (one.contains("train")) check_training(module, one, forward, images.to(at::kDouble));
    const c10::AutoGradMode no_grad(false);
    fill_buffers_by_name(module);  // training changes the statistics of batch norm
    module.eval();
    CHECK(worst(forward(images.to(at::kDouble)), one["eval"]) < 1e-6);
  });
  module.zero_grad();
  module.to(at::kFloat);
  for_each_case([&](const Json& one, const at::Tensor& images) {
    const c10::AutoGradMode no_grad(false);
    CHECK(worst(forward(images), one["eval"]) < 1e-4);
  });
}

}  // namespace sectile::test
