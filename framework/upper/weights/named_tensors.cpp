#include <sectile/named_tensors.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

namespace sectile {
namespace {

using Stars = std::vector<std::string>;  // what each * of a pattern matched

std::optional<Stars> match(const std::string& pattern, const std::string& name) {
  const auto star = pattern.find('*');
  if (star == std::string::npos) return pattern == name ? std::optional(Stars{}) : std::nullopt;
  if (name.compare(0, star, pattern, 0, star) != 0) return std::nullopt;
  const auto rest = pattern.substr(star + 1);
  for (std::size_t end = star; end <= name.size(); ++end)
    if (auto further = match(rest, name.substr(end))) {
      further->insert(further->begin(), name.substr(star, end - star));
      return further;
    }
  return std::nullopt;
}

std::string filled(const std::string& target, const Stars& stars) {
  std::string name;
  std::size_t next = 0;
  for (const char c : target) {
    if (c != '*')
      name += c;
    else
      name += stars[next++];
  }
  return name;
}

void require_stars(const std::string& from, const std::string& to) {
  if (std::count(to.begin(), to.end(), '*') > std::count(from.begin(), from.end(), '*'))
    throw std::invalid_argument("a dialect's target \"" + to + "\" has more * than \"" + from + "\"");
}

// Tensors whose sizes differ in at most one dimension, as at::cat requires.
bool joinable(const std::vector<at::Tensor>& parts, std::int64_t dim) {
  return std::all_of(parts.begin(), parts.end(), [&](const at::Tensor& part) {
    if (part.dim() != parts[0].dim() || dim >= part.dim() || part.scalar_type() != parts[0].scalar_type()) return false;
    for (std::int64_t d = 0; d < part.dim(); ++d)
      if (d != dim && part.size(d) != parts[0].size(d)) return false;
    return true;
  });
}

}  // namespace

NamedTensors::NamedTensors(std::map<std::string, at::Tensor> tensors) : tensors_(std::move(tensors)) {}

void NamedTensors::rename(const std::string& from, const std::string& to) {
  require_stars(from, to);
  std::map<std::string, at::Tensor> result;
  for (const auto& [name, tensor] : tensors_)
    if (!match(from, name)) result.emplace(name, tensor);
  for (const auto& [name, tensor] : tensors_)
    if (const auto stars = match(from, name); stars && !result.emplace(filled(to, *stars), tensor).second) return;
  tensors_ = std::move(result);
}

void NamedTensors::split(const std::string& from, std::int64_t dim, const std::vector<std::string>& to) {
  if (to.empty()) throw std::invalid_argument("a dialect splits \"" + from + "\" into nothing");
  for (const auto& target : to) require_stars(from, target);
  const auto count = static_cast<std::int64_t>(to.size());
  auto result = tensors_;
  for (const auto& [name, tensor] : tensors_) {
    const auto stars = match(from, name);
    if (!stars || dim >= tensor.dim() || tensor.size(dim) % count != 0) continue;
    if (std::any_of(to.begin(), to.end(), [&](const auto& target) { return result.count(filled(target, *stars)); }))
      continue;
    const auto size = tensor.size(dim) / count;
    for (std::int64_t i = 0; i < count; ++i)
      result.emplace(filled(to[static_cast<std::size_t>(i)], *stars), tensor.narrow(dim, i * size, size));
    result.erase(name);
  }
  tensors_ = std::move(result);
}

void NamedTensors::join(const std::vector<std::string>& from, std::int64_t dim, const std::string& to) {
  require_stars(from.at(0), to);
  for (const auto& pattern : from) require_stars(from[0], pattern);
  auto result = tensors_;
  for (const auto& item : tensors_) {
    const auto stars = match(from[0], item.first);
    if (!stars || result.count(filled(to, *stars))) continue;
    std::vector<at::Tensor> parts;
    for (const auto& pattern : from)
      if (const auto part = result.find(filled(pattern, *stars)); part != result.end()) parts.push_back(part->second);
    if (parts.size() != from.size() || !joinable(parts, dim)) continue;
    for (const auto& pattern : from) result.erase(filled(pattern, *stars));
    result.emplace(filled(to, *stars), at::cat(parts, dim));
  }
  tensors_ = std::move(result);
}

void NamedTensors::drop(const std::string& pattern) {
  std::erase_if(tensors_, [&](const auto& item) { return match(pattern, item.first).has_value(); });
}

at::Tensor adapt_input_channels(const at::Tensor& stored, std::int64_t channels) {
  if (stored.dim() < 2) return {};
  // A half-precision file is not summed and scaled in its precision.
  const bool is_reduced = stored.scalar_type() == at::kHalf || stored.scalar_type() == at::kBFloat16;
  const auto weight = is_reduced ? stored.to(at::kFloat) : stored;
  if (channels == 1) return weight.sum(1, /*keepdim=*/true);
  const auto before = weight.size(1);
  if (before != 3 && before != 1) return {};
  std::vector<std::int64_t> repeats(static_cast<std::size_t>(weight.dim()), 1);
  repeats[1] = (channels + before - 1) / before;
  return weight.repeat(repeats).narrow(1, 0, channels) * (static_cast<double>(before) / static_cast<double>(channels));
}

}  // namespace sectile
