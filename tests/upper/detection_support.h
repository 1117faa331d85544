// What tests of the operations of detectors share with the Python scripts in tests/parity.
#pragma once

#include <string>
#include <vector>

#include <ATen/ATen.h>

#include "support/test.h"

#include "parity/compare.h"

namespace sectile::test {

inline at::Tensor numbers(const std::string& name, at::IntArrayRef shape, double low = -1, double high = 1) {
  const auto hash = fnv1a(name);
  auto made = at::empty(shape, at::kDouble);
  for (std::int64_t i = 0; i < made.numel(); ++i)
    made.mutable_data_ptr<double>()[i] = (uniform(hash, i) + 1) / 2 * (high - low) + low;
  return made;
}

// Also over the edges, and some of a fraction of a pixel.
inline at::Tensor boxes_by_name(const std::string& name, std::int64_t count, double largest, double height,
                                double width) {
  const auto centers = numbers(name + " centers", {count, 2}, -0.1, 1.1) * at::tensor({width, height}, at::kDouble);
  const auto sides = numbers(name + " sides", {count, 2}, 0.05, 1).pow(3) * largest;
  return at::cat({centers - sides / 2, centers + sides / 2}, 1);
}

// Rows of four numbers.
inline at::Tensor boxes_of(const std::vector<double>& corners) {
  return at::tensor(corners, at::kDouble).view({-1, 4});
}

inline std::vector<std::int64_t> list_of(const at::Tensor& indices) {
  const auto* const first = indices.const_data_ptr<std::int64_t>();
  return {first, first + indices.numel()};
}

}  // namespace sectile::test
