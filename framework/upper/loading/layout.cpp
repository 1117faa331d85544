#include "layout.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/upsample_bilinear2d.h>
#include <ATen/ops/upsample_trilinear3d.h>

namespace sectile {

std::vector<std::int64_t> spatial(const Extent& size, bool volume) {
  if (volume) return {size.depth, size.height, size.width};
  return {size.height, size.width};
}

at::Tensor valid(at::Tensor tensor, const Extent& size, bool volume, int first) {
  const auto sizes = spatial(size, volume);
  for (std::size_t i = 0; i < sizes.size(); ++i) tensor = tensor.narrow(first + static_cast<int>(i), 0, sizes[i]);
  return tensor;
}

void put_rows(at::Tensor& map, const at::Tensor& band, std::int64_t axis, std::int64_t first, std::int64_t total) {
  if (!map.defined()) {
    auto shape = band.sizes().vec();
    shape[static_cast<std::size_t>(axis < 0 ? axis + band.dim() : axis)] = total;
    map = at::empty(shape, band.options());
  }
  map.narrow(axis, first, band.size(axis)).copy_(band);
}

at::Tensor interpolate(const at::Tensor& scores, at::IntArrayRef size) {
  if (scores.sizes().slice(2) == size) return scores;
  return size.size() == 3 ? at::upsample_trilinear3d(scores, size, false)
                          : at::upsample_bilinear2d(scores, size, false);
}

}  // namespace sectile
