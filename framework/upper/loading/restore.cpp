// Maps scores and boxes of a batch back to the coordinates of the files.
#include <algorithm>
#include <optional>

#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include <sectile/batch.h>
#include <sectile/error.h>
#include <sectile/transform.h>

#include "batch.h"
#include "layout.h"
#include "restored_labels.h"

namespace sectile {
namespace {

// The axes that a mapping of positions only flips, counted from the last one (-1 is x), for a map of this size. Nothing
// if it does anything else: only whole pixels can be restored exactly.
std::optional<std::vector<std::int64_t>> mirrored_axes(const cv::Matx44d& change, const Extent& size) {
  const double sides[] = {double(size.width), double(size.height), double(size.depth)};
  auto mirror = cv::Matx44d::eye();
  std::vector<std::int64_t> axes;
  for (int i = 0; i < 3; ++i)
    if (change(i, i) == -1) {
      mirror(i, i) = -1, mirror(i, 3) = sides[i];
      axes.push_back(-1 - i);
    }
  return change == mirror ? std::optional(axes) : std::nullopt;
}

}  // namespace

std::optional<std::vector<std::int64_t>> restoring_flips(const Batch& batch, std::size_t index) {
  const auto& geometry = batch.truth[index].geometry;
  if (!geometry.invertible || batch.sizes[index] != geometry.original) return std::nullopt;
  return mirrored_axes(geometry.to_original, geometry.original);
}

at::Tensor restore(const at::Tensor& scores, const Batch& batch, std::size_t index) {
  const auto& geometry = batch.truth[index].geometry;
  if (!geometry.invertible)
    throw DataError(batch.truth[index].id,
                    "was changed by a transform that cannot be inverted; use that transform for training only");
  const bool volume = batch.images.dim() == 5;
  const Extent now = batch.sizes[index], then = geometry.original;
  auto input = valid(interpolate(scores.unsqueeze(0), batch.images.sizes().slice(2)), now, volume, 2);
  if (const auto axes = restoring_flips(batch, index)) return (axes->empty() ? input : input.flip(*axes)).squeeze(0);
  // original position → position here, both scaled to -1…1: theta of affine_grid.
  const auto back = geometry.to_original.inv();
  const double size_now[] = {double(now.width), double(now.height), double(now.depth)};
  const double size_then[] = {double(then.width), double(then.height), double(then.depth)};
  const int dims = volume ? 3 : 2;
  auto theta = at::empty({1, dims, dims + 1}, at::kDouble);
  for (int i = 0; i < dims; ++i) {
    double shift = back(i, 3) * 2 / size_now[i] - 1;
    for (int j = 0; j < dims; ++j) {
      theta[0][i][j] = back(i, j) * size_then[j] / size_now[i];
      shift += back(i, j) * size_then[j] / size_now[i];
    }
    theta[0][i][dims] = shift;
  }
  auto shape = spatial(then, volume);
  shape.insert(shape.begin(), {1, scores.size(0)});
  const auto grid = at::affine_grid_generator(theta.to(scores.options()), shape, false);
  return at::grid_sampler(input, grid, 0, 1, false).squeeze(0);  // linear, border
}

at::Tensor cut_off(const Batch& batch, std::size_t index) {
  constexpr double kRounding = 1e-6;  // pixels
  const auto& geometry = batch.truth[index].geometry;
  const int axes = batch.images.dim() == 5 ? 3 : 2;
  const Extent now = batch.sizes[index], then = geometry.original;
  const int size_now[] = {now.width, now.height, now.depth}, size_then[] = {then.width, then.height, then.depth};
  const auto back = geometry.to_original.inv();
  at::Tensor outside;
  for (int i = 0; i < axes; ++i) {
    double least = back(i, 3), most = least;  // over the centers of all pixels
    auto position = at::full(std::vector<std::int64_t>(static_cast<std::size_t>(axes), 1), back(i, 3), at::kDouble);
    for (int j = 0; j < axes; ++j) {
      const double ends[] = {back(i, j) * 0.5, back(i, j) * (size_then[j] - 0.5)};
      least += std::min(ends[0], ends[1]), most += std::max(ends[0], ends[1]);
      std::vector<std::int64_t> along(static_cast<std::size_t>(axes), 1);
      along[static_cast<std::size_t>(axes - 1 - j)] = size_then[j];
      if (back(i, j) != 0) position = position + (at::arange(size_then[j], at::kDouble) + 0.5).view(along) * back(i, j);
    }
    if (least >= -kRounding && most <= size_now[i] + kRounding) continue;
    const auto beyond = (position < -kRounding).logical_or(position > size_now[i] + kRounding);
    outside = outside.defined() ? outside.logical_or(beyond) : beyond;
  }
  return outside.defined() ? outside.expand(spatial(then, axes == 3)) : outside;
}

cv::Rect2f restore(const cv::Rect2f& box, const Batch& batch, std::size_t index) {
  Warp back;
  back.to_input = batch.truth[index].geometry.to_original.inv();
  back.size = batch.truth[index].geometry.original;
  Sample carrier;
  carrier.geometry.original = batch.sizes[index];
  carrier.instances.push_back({.box = box});
  apply(back, carrier);
  return carrier.instances.empty() ? cv::Rect2f() : carrier.instances.front().box;
}

}  // namespace sectile
