#include "wrapped_names.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>
#include <c10/core/GradMode.h>

namespace sectile {
namespace {

const std::string kCompiled = "_orig_mod.";

std::string without_compiled(const std::string& name) {
  std::string bare;
  for (std::size_t at = 0; at < name.size();) {
    const auto end = std::min(name.find('.', at), name.size() - 1) + 1;
    if (const auto part = name.substr(at, end - at); part != kCompiled) bare += part;
    at = end;
  }
  return bare;
}

// v by the length g, which v gets in all dimensions in which g has size 1. At least in single precision, as a network
// computes it that loads both parts.
at::Tensor normed(at::Tensor g, at::Tensor v) {
  if (v.scalar_type() != at::kDouble) g = g.to(at::kFloat), v = v.to(at::kFloat);
  std::vector<std::int64_t> dims;
  for (std::int64_t d = 0; d < v.dim(); ++d)
    if (g.dim() != v.dim() || g.size(d) == 1) dims.push_back(d);
  return v * (g / at::linalg_vector_norm(v, 2, dims, /*keepdim=*/g.dim() == v.dim()));
}

bool belong_together(const at::Tensor& g, const at::Tensor& v) {
  if (!g.is_floating_point() || g.scalar_type() != v.scalar_type() || v.dim() == 0) return false;
  if (g.dim() == 0) return true;
  if (g.dim() != v.dim()) return false;
  for (std::int64_t d = 0; d < v.dim(); ++d)
    if (g.size(d) != 1 && g.size(d) != v.size(d)) return false;
  return true;
}

}  // namespace

Unwrapped unwrap(StateDict file) {
  const c10::AutoGradMode no_grad(false);
  Unwrapped result;
  for (auto& [name, tensor] : file) {
    const auto bare = without_compiled(name);
    // Two names that differ only in the wrapper's part stay as they are.
    const bool marked = bare != name && !file.count(bare) && result.state.emplace(bare, tensor).second;
    if (!marked) result.state.emplace(name, tensor);
    result.compiled |= marked;
  }
  struct Pair {
    std::string g, v, weight;
  };
  std::vector<Pair> pairs;
  for (const auto& item : result.state) {
    const auto& name = item.first;
    for (const auto& [g, v, parent] :
         {std::tuple{"_g", "_v", ""}, std::tuple{".original0", ".original1", "parametrizations."}}) {
      const std::string ending = g;
      if (!name.ends_with(ending)) continue;
      auto weight = name.substr(0, name.size() - ending.size());
      const auto other = weight + v;
      if (*parent) {
        const auto at = weight.rfind(parent);
        if (at == std::string::npos) continue;
        weight.erase(at, std::string(parent).size());
      }
      const bool is_weight = weight == "weight" || weight.ends_with(".weight");
      if (is_weight && result.state.count(other) && !result.state.count(weight)) pairs.push_back({name, other, weight});
    }
  }
  for (const auto& [g, v, weight] : pairs) {
    const auto length = result.state.at(g), direction = result.state.at(v);
    if (!belong_together(length, direction)) continue;
    result.state.erase(g), result.state.erase(v);
    result.state.emplace(weight, normed(length, direction));
    result.weight_norms.push_back(weight);
  }
  return result;
}

}  // namespace sectile
