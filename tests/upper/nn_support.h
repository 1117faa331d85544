// What tests of layers and blocks share.
#pragma once

#include <ATen/ATen.h>

#include "parity/name_hash.h"
#include "support/test.h"

namespace sectile::test {

// The largest difference, in units of the largest value of a.
inline double furthest(const at::Tensor& a, const at::Tensor& b) {
  REQUIRE(a.sizes() == b.sizes());
  const auto wanted = a.to(at::kDouble);
  return ((wanted - b.to(at::kDouble)).abs().max() / wanted.abs().max().clamp_min(1e-30)).item<double>();
}

inline double precise(at::ScalarType type) { return type == at::kDouble ? 1e-12 : 1e-6; }

inline at::Tensor image_of(at::IntArrayRef shape, at::ScalarType type = at::kFloat) {
  return formula_picture(shape).to(type);
}

}  // namespace sectile::test
