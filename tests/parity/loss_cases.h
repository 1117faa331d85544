// Compares a loss with the expected values that losses.py stored: value, gradient's norm and some of its entries.
#pragma once

#include <fstream>

#include <ATen/ATen.h>
#include <nlohmann/json.hpp>

#include <sectile/loss.h>
#include <sectile/random.h>

#include "support/component.h"
#include "support/test.h"

namespace sectile::test {

inline nlohmann::json expected_values(const std::string& name) {
  std::ifstream file(SECTILE_SOURCE_DIR "/tests/parity/" + name);
  return nlohmann::json::parse(file);
}

inline at::Tensor number_map(const nlohmann::json& expected, std::uint64_t stream) {
  auto shape = expected["shape"].get<std::vector<std::int64_t>>();
  const auto classes = shape[1];
  shape.erase(shape.begin() + 1);
  const auto absent = expected.value("absent", std::vector<std::int64_t>{});
  std::vector<std::int64_t> present;
  for (std::int64_t c = 0; c < classes; ++c)
    if (std::find(absent.begin(), absent.end(), c) == absent.end()) present.push_back(c);
  Random random{expected["seed"].get<std::uint64_t>(), stream};
  auto labels = at::empty(shape, at::kLong);
  for (auto* label = labels.data_ptr<std::int64_t>(); label != labels.data_ptr<std::int64_t>() + labels.numel();
       ++label) {
    const bool ignored = random.uniform() < expected.value("ignored", 0.2);
    const auto chosen = present[static_cast<std::size_t>(random.uniform() * static_cast<double>(present.size()))];
    *label = ignored ? kIgnore : chosen;
  }
  return labels;
}

inline at::Tensor labels_of(const nlohmann::json& expected) {
  const auto shape = expected["shape"].get<std::vector<std::int64_t>>();
  const auto one_hot = [&](const at::Tensor& numbers) {
    return at::one_hot(numbers.clamp_min(0), shape[1]).movedim(-1, 1).to(at::kFloat);
  };
  if (expected["labels"] == "numbers") return number_map(expected, 1);
  if (expected["labels"] == "soft") {
    const auto a = number_map(expected, 1), b = number_map(expected, 2);
    const auto mixed = 0.7f * one_hot(a) + (1 - 0.7f) * one_hot(b);
    return mixed.masked_fill((a < 0).logical_or(b < 0).unsqueeze(1), kIgnore);
  }
  Random random{expected["seed"].get<std::uint64_t>(), 3};
  const double ignored = expected.value("ignored", 0.2);
  auto labels = at::empty(shape, at::kDouble);
  for (auto* label = labels.data_ptr<double>(); label != labels.data_ptr<double>() + labels.numel(); ++label)
    *label = random.uniform();
  auto wanted = (labels < ignored + (1 - ignored) / 2).to(at::kFloat);
  for (const auto c : expected.value("absent", std::vector<std::int64_t>{})) wanted.select(1, c).fill_(0);
  return wanted.masked_fill(labels < ignored, kIgnore);
}

inline Batch with_labels(at::Tensor labels) {
  Batch batch;
  batch.labels = std::move(labels);
  return batch;
}

inline Outputs with_logits(at::Tensor logits) {
  Outputs outputs;
  outputs.logits = std::move(logits);
  return outputs;
}

struct Evaluated {
  double value;
  at::Tensor gradient;  // of the logits
};

inline Evaluated evaluate(const Loss& loss, const at::Tensor& logits, const at::Tensor& labels) {
  auto leaf = logits.detach().clone().requires_grad_();
  const auto terms = loss(with_logits(leaf), with_labels(labels));
  REQUIRE(terms.size() == 1);
  terms.front().value.backward();
  return {terms.front().value.item<double>(), leaf.grad()};
}

inline void check_evaluated(const Evaluated& found, const nlohmann::json& expected, double tolerance) {
  CHECK(found.value == doctest::Approx(expected["value"].get<double>()).epsilon(tolerance));
  const auto norm = expected["gradient_norm"].get<double>();
  CHECK(found.gradient.norm().item<double>() == doctest::Approx(norm).epsilon(tolerance));
  const auto flat = found.gradient.contiguous().flatten();
  for (std::int64_t i = 0; i < 5; ++i) {
    const auto difference = flat[i * flat.numel() / 5].item<double>() - expected["gradient"][i].get<double>();
    CHECK(std::abs(difference) <= tolerance * norm);
  }
}

// Every stored case of the loss, in float32 and in float64.
inline void compare_with_reference(const std::string& name) {
  int compared = 0;
  for (const auto& expected : expected_values("losses.json")) {
    if (expected["loss"] != name) continue;
    CAPTURE(expected.dump());
    const auto shape = expected["shape"].get<std::vector<std::int64_t>>();
    auto json = expected["options"];
    json["type"] = name;
    const auto loss =
        make<Loss>(json.dump(), context(static_cast<int>(shape[1]), 3, expected["labels"] == "per_class"));
    auto logits = at::empty(shape);
    Random random{expected["seed"].get<std::uint64_t>(), 0};
    for (std::int64_t i = 0; i < logits.numel(); ++i)
      logits.data_ptr<float>()[i] = static_cast<float>(random.uniform(-4, 4));
    if (expected.value("channels_last", false)) logits = logits.contiguous(at::MemoryFormat::ChannelsLast);
    check_evaluated(evaluate(*loss, logits, labels_of(expected)), expected, 1e-6);
    const double rounded = expected["labels"] == "soft" ? 1e-6 : 1e-12;  // soft labels are mixed in float32
    check_evaluated(evaluate(*loss, logits.to(at::kDouble), labels_of(expected)), expected, rounded);
    ++compared;
  }
  CHECK(compared > 0);
}

}  // namespace sectile::test
