#include <sectile/nn/transformer/position_embedding.h>

#include <cmath>
#include <string>

#include <ATen/ops/_upsample_bicubic2d_aa.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/upsample_bicubic2d.h>
#include <ATen/ops/upsample_bilinear2d.h>

#include <sectile/error.h>

namespace sectile::nn {
namespace {

at::Tensor resized(const at::Tensor& map, at::IntArrayRef size, PositionResize how) {
  switch (how) {
    case PositionResize::bicubic:
      return at::upsample_bicubic2d(map, size, /*align_corners=*/false);
    case PositionResize::bicubic_antialias:
      return at::_upsample_bicubic2d_aa(map, size, /*align_corners=*/false);
    case PositionResize::bilinear:
      break;
  }
  return at::upsample_bilinear2d(map, size, /*align_corners=*/false);
}

}  // namespace

std::int64_t side_of_square(std::int64_t count) {
  const auto side = std::llround(std::sqrt(static_cast<double>(count)));
  return side * side == count ? side : 0;
}

at::Tensor resize_positions(const at::Tensor& positions, std::int64_t prefix, std::int64_t rows, std::int64_t columns,
                            PositionResize how) {
  const auto count = positions.size(1) - prefix;
  const auto side = count < 1 ? 0 : side_of_square(count);
  if (side == 0)
    throw PluginError("position embeddings", "has " + std::to_string(count) +
                                                 " positions besides those of other tokens, which are no square: "
                                                 "expected one for each patch of a square image");
  if (rows == side && columns == side) return positions;
  const auto type = positions.scalar_type();
  const auto map = positions.narrow(1, prefix, count).transpose(1, 2).unflatten(2, {side, side});
  const auto made = resized(map.to(type == at::kDouble ? at::kDouble : at::kFloat).contiguous(), {rows, columns}, how)
                        .to(type)
                        .flatten(2)
                        .transpose(1, 2);
  return prefix == 0 ? made : at::cat({positions.narrow(1, 0, prefix), made}, 1);
}

}  // namespace sectile::nn
