#include <sectile/nn/detection/nms.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <sectile/error.h>

#include "../cpu/box_columns.h"
#include "../cuda/detection_gpu.h"

namespace sectile::nn {
namespace {

template <class Number>
at::Tensor nms_of(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& classes, double iou_threshold) {
  const auto count = boxes.size(0);
  const auto* const box = boxes.const_data_ptr<Number>();
  const auto* const score = scores.const_data_ptr<double>();
  const auto* const category = classes.defined() ? classes.const_data_ptr<std::int64_t>() : nullptr;
  const auto class_of = [&](std::int64_t i) { return category ? category[i] : 0; };
  std::vector<std::int64_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  // NaN is the best score, as in torch.sort.
  std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
    return score[a] > score[b] || (std::isnan(score[a]) && !std::isnan(score[b]));
  });
  auto by_class = order;
  std::stable_sort(by_class.begin(), by_class.end(), [&](auto a, auto b) { return class_of(a) < class_of(b); });
  std::vector<std::size_t> first;  // of each class, and the end
  for (std::size_t i = 0; i < by_class.size(); ++i)
    if (i == 0 || class_of(by_class[i]) != class_of(by_class[i - 1])) first.push_back(i);
  first.push_back(by_class.size());
  std::vector<std::uint8_t> stays(static_cast<std::size_t>(count), 0);
  at::parallel_for(0, static_cast<std::int64_t>(first.size()) - 1, 1, [&](std::int64_t begin, std::int64_t end) {
    for (auto group = static_cast<std::size_t>(begin); group < static_cast<std::size_t>(end); ++group) {
      BoxColumns<Number> candidates;
      for (auto i = first[group]; i < first[group + 1]; ++i) candidates.add(box + 4 * by_class[i]);
      const auto kept = candidates.kept(iou_threshold);
      for (auto i = first[group]; i < first[group + 1]; ++i)
        stays[static_cast<std::size_t>(by_class[i])] = kept[i - first[group]];
    }
  });
  std::erase_if(order, [&](auto i) { return !stays[static_cast<std::size_t>(i)]; });
  const auto kept = at::empty({static_cast<std::int64_t>(order.size())}, at::kLong);
  std::copy(order.begin(), order.end(), kept.mutable_data_ptr<std::int64_t>());
  return kept;
}

}  // namespace

at::Tensor nms(const at::Tensor& boxes, const at::Tensor& scores, const at::Tensor& classes, double iou_threshold) {
  if (boxes.dim() != 2 || boxes.size(1) != 4 || scores.dim() != 1 || scores.size(0) != boxes.size(0) ||
      (classes.defined() && !classes.sizes().equals(scores.sizes())))
    throw PluginError("nms", "takes boxes [K, 4], scores [K] and classes [K]");
  if (!(iou_threshold >= 0 && iou_threshold <= 1)) throw PluginError("nms", "takes an iou_threshold from 0 to 1");
  const auto type = boxes.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto to = [&](const at::Tensor& tensor, at::ScalarType as) {
    return tensor.defined() ? tensor.detach().to(boxes.device(), as).contiguous() : tensor;
  };
  // Scores stay apart whatever the boxes' type is.
  const auto of_boxes = to(boxes, type), of_scores = to(scores, at::kDouble), of_classes = to(classes, at::kLong);
  if (boxes.is_cuda()) return nms_on_gpu(gpu_of(of_boxes), of_boxes, of_scores, of_classes, iou_threshold);
  if (type == at::kDouble) return nms_of<double>(of_boxes, of_scores, of_classes, iou_threshold);
  return nms_of<float>(of_boxes, of_scores, of_classes, iou_threshold);
}

}  // namespace sectile::nn
