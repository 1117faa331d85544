#include <sectile/nn/detection/boxes.h>

#include <algorithm>
#include <cmath>

#include <ATen/ops/full.h>
#include <ATen/ops/max.h>
#include <ATen/ops/maximum.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/randperm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/where.h>

#include <sectile/error.h>

namespace sectile::nn {
namespace {

void expect(bool as_expected, const char* operation, const char* reason) {
  if (!as_expected) throw PluginError(operation, reason);
}

bool are_boxes(const at::Tensor& boxes) { return boxes.dim() == 2 && boxes.size(1) == 4; }

struct Centered {
  at::Tensor x, y, width, height;
  explicit Centered(const at::Tensor& boxes)
      : width(boxes.select(1, 2) - boxes.select(1, 0)), height(boxes.select(1, 3) - boxes.select(1, 1)) {
    x = boxes.select(1, 0) + 0.5 * width;
    y = boxes.select(1, 1) + 0.5 * height;
  }
};

}  // namespace

at::Tensor encode_boxes(const at::Tensor& wanted, const at::Tensor& boxes, const BoxWeights& weights) {
  expect(are_boxes(wanted) && are_boxes(boxes) && wanted.size(0) == boxes.size(0), "encode_boxes",
         "takes two tensors of boxes [K, 4]");
  const Centered to(wanted), from(boxes);
  return at::stack({weights[0] * (to.x - from.x) / from.width, weights[1] * (to.y - from.y) / from.height,
                    weights[2] * (to.width / from.width).log(), weights[3] * (to.height / from.height).log()},
                   1);
}

at::Tensor decode_boxes(const at::Tensor& deltas, const at::Tensor& boxes, const BoxWeights& weights) {
  expect(are_boxes(boxes) && deltas.dim() == 2 && deltas.size(0) == boxes.size(0) && deltas.size(1) % 4 == 0,
         "decode_boxes", "takes deltas [K, 4 * C] and boxes [K, 4]");
  static const double kLargest = std::log(1000. / 16);
  const Centered from(boxes.to(deltas.scalar_type()));
  const auto of_class = deltas.reshape({deltas.size(0), deltas.size(1) / 4, 4});
  const auto along = [&](int axis) { return of_class.select(2, axis) / weights[static_cast<std::size_t>(axis)]; };
  const auto x = along(0) * from.width.unsqueeze(1) + from.x.unsqueeze(1);
  const auto y = along(1) * from.height.unsqueeze(1) + from.y.unsqueeze(1);
  const auto half_width = 0.5 * (along(2).clamp_max(kLargest).exp() * from.width.unsqueeze(1));
  const auto half_height = 0.5 * (along(3).clamp_max(kLargest).exp() * from.height.unsqueeze(1));
  return at::stack({x - half_width, y - half_height, x + half_width, y + half_height}, 2);
}

at::Tensor clip_boxes(const at::Tensor& boxes, std::int64_t height, std::int64_t width) {
  expect(boxes.dim() > 0 && boxes.size(-1) == 4, "clip_boxes", "takes boxes [..., 4]");
  const auto axis = boxes.dim() - 1;
  return at::stack({boxes.select(axis, 0).clamp(0, width), boxes.select(axis, 1).clamp(0, height),
                    boxes.select(axis, 2).clamp(0, width), boxes.select(axis, 3).clamp(0, height)},
                   axis);
}

at::Tensor box_areas(const at::Tensor& boxes) {
  expect(are_boxes(boxes), "box_areas", "takes boxes [K, 4]");
  return (boxes.select(1, 2) - boxes.select(1, 0)) * (boxes.select(1, 3) - boxes.select(1, 1));
}

at::Tensor box_ious(const at::Tensor& a, const at::Tensor& b) {
  expect(are_boxes(a) && are_boxes(b), "box_ious", "takes boxes [K, 4] and [L, 4]");
  const auto first = at::maximum(a.slice(1, 0, 2).unsqueeze(1), b.slice(1, 0, 2));
  const auto last = at::minimum(a.slice(1, 2, 4).unsqueeze(1), b.slice(1, 2, 4));
  const auto sides = (last - first).clamp_min(0);
  const auto common = sides.select(2, 0) * sides.select(2, 1);
  return common / (box_areas(a).unsqueeze(1) + box_areas(b) - common);
}

at::Tensor larger_than(const at::Tensor& boxes, double least_side) {
  expect(are_boxes(boxes), "larger_than", "takes boxes [K, 4]");
  return ((boxes.select(1, 2) - boxes.select(1, 0)) >= least_side)
      .logical_and((boxes.select(1, 3) - boxes.select(1, 1)) >= least_side);
}

at::Tensor match_boxes(const at::Tensor& truths, const at::Tensor& boxes, double low, double high,
                       bool allow_low_quality) {
  expect(are_boxes(truths) && are_boxes(boxes), "match_boxes", "takes truths [T, 4] and boxes [K, 4]");
  const auto index = boxes.options().dtype(at::kLong);
  if (truths.size(0) == 0 || boxes.size(0) == 0) return at::full({boxes.size(0)}, kNoObject, index);
  const auto ious = box_ious(truths, boxes);
  const auto [best, truth] = ious.max(0);
  auto matches = at::where(best < low, at::full({}, kNoObject, index),
                           at::where(best < high, at::full({}, kNeither, index), truth));
  if (!allow_low_quality) return matches;
  const auto best_of_truth = std::get<0>(ious.max(1, /*keepdim=*/true));
  return at::where((ious == best_of_truth).any(0), truth, matches);
}

Sampled sample_matches(const at::Tensor& matches, std::int64_t count, double positive_share) {
  expect(matches.dim() == 1 && count >= 0 && positive_share >= 0 && positive_share <= 1, "sample_matches",
         "takes matches [K], a count from 0 and a share from 0 to 1");
  const auto take = [](const at::Tensor& indices, std::int64_t most) {
    if (indices.size(0) <= most) return indices;
    return indices.index_select(0, at::randperm(indices.size(0), indices.options()).slice(0, 0, most));
  };
  const auto positive = (matches >= 0).nonzero().squeeze(1), negative = (matches == kNoObject).nonzero().squeeze(1);
  const auto positives =
      std::min(static_cast<std::int64_t>(static_cast<double>(count) * positive_share), positive.size(0));
  return {take(positive, positives), take(negative, count - positives)};
}

}  // namespace sectile::nn
