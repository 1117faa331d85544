// Weights and pictures computed from formulas, the same here as in Python; README.md beside this defines them.
#pragma once

#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include <ATen/ops/from_blob.h>
#include <c10/core/GradMode.h>
#include <torch/nn/module.h>

namespace sectile::test {

inline std::uint64_t fnv1a(std::string_view text) {
  std::uint64_t value = 0xcbf29ce484222325u;
  for (const char byte : text) value = (value ^ static_cast<std::uint8_t>(byte)) * 0x100000001b3u;
  return value;
}

// In [-1, 1), for element `index` of the tensor whose name has this hash.
inline double uniform(std::uint64_t hash, std::int64_t index) {
  std::uint64_t z = hash + (static_cast<std::uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  z ^= z >> 31;
  return static_cast<double>(z >> 11) * 0x1p-52 - 1;
}

inline void fill_by_name(const std::string& name, at::Tensor tensor) {
  const auto ends_with = [&](std::string_view end) { return std::string_view(name).ends_with(end); };
  double centre = 0, spread = 0.1;
  if (ends_with("num_batches_tracked"))
    spread = 0;
  else if (tensor.dim() >= 2)
    spread = std::sqrt(6 / static_cast<double>(tensor.numel() / tensor.size(0)));
  else if (ends_with(".weight") || ends_with(".running_var"))
    centre = 1;
  const auto hash = fnv1a(name);
  std::vector<double> values(static_cast<std::size_t>(tensor.numel()));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = centre + spread * uniform(hash, static_cast<std::int64_t>(i));
  tensor.copy_(at::from_blob(values.data(), tensor.sizes(), at::kDouble));
}

inline void fill_buffers_by_name(torch::nn::Module& module) {
  const c10::AutoGradMode no_grad(false);
  for (const auto& item : module.named_buffers()) fill_by_name(item.key(), item.value());
}

// Every parameter and buffer.
inline void fill_by_name(torch::nn::Module& module) {
  const c10::AutoGradMode no_grad(false);
  for (const auto& item : module.named_parameters()) fill_by_name(item.key(), item.value());
  fill_buffers_by_name(module);
}

// float [N, C, H, W]
inline at::Tensor formula_picture(at::IntArrayRef shape) {
  std::int64_t count = 1;
  for (const auto size : shape) count *= size;
  std::vector<float> values(static_cast<std::size_t>(count));
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = static_cast<float>(std::sin(0.1 * static_cast<double>(i)));
  return at::from_blob(values.data(), shape, at::kFloat).clone();
}

}  // namespace sectile::test
