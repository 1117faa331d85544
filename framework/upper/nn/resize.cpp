#include <sectile/nn/resize.h>

#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_nearest2d.h>

namespace sectile::nn {

at::Tensor resize_like(const at::Tensor& input, const at::Tensor& reference, bool align_corners) {
  const auto size = reference.sizes().slice(2);
  return input.sizes().slice(2) == size ? input : at::upsample_bilinear2d(input, size, align_corners);
}

at::Tensor resize(const at::Tensor& input, at::IntArrayRef size, Interpolation interpolation) {
  if (input.sizes().slice(2) == size) return input;
  return interpolation == Interpolation::nearest ? at::upsample_nearest2d(input, size)
                                                 : at::upsample_bilinear2d(input, size, /*align_corners=*/false);
}

}  // namespace sectile::nn
