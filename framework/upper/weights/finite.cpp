// Whether weights are finite: they are looked at in place, because at::isfinite would write as many values as it reads.
#include <algorithm>
#include <atomic>
#include <cstdint>

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include "weights.h"

namespace sectile {
namespace {

// exponent: its bits, which are all set in NaN and Inf, and in no other value.
template <class Bits>
bool finite(const at::Tensor& tensor, Bits exponent) {
  const auto* values = static_cast<const Bits*>(tensor.const_data_ptr());
  std::atomic<bool> all{true};
  constexpr std::int64_t kPart = 1 << 16;  // values
  at::parallel_for(0, tensor.numel(), kPart, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end && all.load(std::memory_order_relaxed); begin += kPart) {
      const auto last = std::min(begin + kPart, end);
      Bits other = 0;
      for (auto i = begin; i < last; ++i) other |= static_cast<Bits>((values[i] & exponent) == exponent);
      if (other) all = false;
    }
  });
  return all;
}

bool finite_on_cpu(const at::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return finite<std::uint32_t>(tensor, 0x7f800000);
    case at::kDouble:
      return finite<std::uint64_t>(tensor, 0x7ff0000000000000);
    case at::kHalf:
      return finite<std::uint16_t>(tensor, 0x7c00);
    case at::kBFloat16:
      return finite<std::uint16_t>(tensor, 0x7f80);
    default:
      return at::isfinite(tensor.to(at::kFloat)).all().item<bool>();
  }
}

}  // namespace

bool all_finite(const StateDict& state) {
  const c10::AutoGradMode no_gradients(false);
  std::vector<at::Tensor> elsewhere;
  for (const auto& [name, tensor] : state) {
    if (!tensor.is_floating_point()) continue;
    if (!tensor.device().is_cpu())
      elsewhere.push_back(at::isfinite(tensor).all());
    else if (!finite_on_cpu(tensor.is_non_overlapping_and_dense() ? tensor : tensor.contiguous()))
      return false;
  }
  return elsewhere.empty() || at::stack(elsewhere).all().item<bool>();  // one transfer for all of them
}

}  // namespace sectile
