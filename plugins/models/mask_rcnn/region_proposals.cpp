#include "region_proposals.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/meshgrid.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>
#include <ATen/ops/zeros_like.h>
#include <torch/nn/init.h>

#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/nms.h>

namespace mask_rcnn {
namespace {

namespace nn = sectile::nn;

constexpr nn::BoxWeights kWeights{1, 1, 1, 1};
constexpr double kLeastSide = 1e-3;  // of a proposal, in pixels

// Boxes of the area size², for each ratio of height to width, with whole numbers (torchvision's AnchorGenerator).
at::Tensor cell_anchors(const std::vector<double>& sizes, const std::vector<double>& ratios) {
  const auto of_sizes = at::tensor(sizes, at::kFloat), of_ratios = at::tensor(ratios, at::kFloat).sqrt();
  const auto heights = (of_ratios.unsqueeze(1) * of_sizes).flatten() / 2;
  const auto widths = ((1 / of_ratios).unsqueeze(1) * of_sizes).flatten() / 2;
  return at::stack({-widths, -heights, widths, heights}, 1).round();
}

}  // namespace

RegionProposals::RegionProposals(torch::nn::Module& owner, const std::string& path, const RegionOptions& options,
                                 int channels, int levels, int conv_depth)
    : options_(options) {
  for (int level = 0; level < levels; ++level)
    cells_.push_back(cell_anchors(options.sizes_of(level), options.aspect_ratios));
  for (int i = 0; i < conv_depth; ++i)
    convs_.emplace_back(
        owner, nn::in_sequence(path + ".conv." + std::to_string(i)),
        nn::ConvNormActOptions{
            .in_channels = channels, .out_channels = channels, .kernel_size = 3, .padding = 1, .norm = nn::Norm::none});
  const int anchors = static_cast<int>(cells_.front().size(0));
  const auto add = [&](const char* name, int out) {
    return nn::register_at(
        owner, path + name,
        std::make_shared<nn::Conv>(nn::ConvOptions{.in_channels = channels, .out_channels = out, .kernel_size = 1}));
  };
  objectness_ = add(".cls_logits", anchors);
  deltas_ = add(".bbox_pred", 4 * anchors);
}

RegionProposals::Scores RegionProposals::score(const std::vector<at::Tensor>& pyramid, at::IntArrayRef size) const {
  std::vector<at::Tensor> objectness, deltas, anchors;
  Scores scores;
  for (std::size_t i = 0; i < pyramid.size(); ++i) {
    auto x = pyramid[i];
    for (const auto& conv : convs_) x = conv.forward(x);
    const auto images = x.size(0), height = x.size(2), width = x.size(3), count = cells_[i].size(0);
    objectness.push_back(objectness_->forward(x).permute({0, 2, 3, 1}).reshape({images, -1}));
    deltas.push_back(deltas_->forward(x)
                         .reshape({images, count, 4, height, width})
                         .permute({0, 3, 4, 1, 2})
                         .reshape({images, -1, 4}));
    // Where the cells of the level are: whole pixels apart, as in torchvision.
    const auto cells = cells_[i].to(x.device(), x.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    const auto shifts = [&](std::int64_t cell_count, std::int64_t stride) {
      return at::arange(cell_count, cells.options()) * stride;
    };
    const auto grid = at::meshgrid({shifts(height, size[0] / height), shifts(width, size[1] / width)}, "ij");
    const auto y = grid[0].flatten(), xs = grid[1].flatten();
    anchors.push_back((at::stack({xs, y, xs, y}, 1).unsqueeze(1) + cells).reshape({-1, 4}));
    scores.of_level.push_back(anchors.back().size(0));
  }
  scores.objectness = at::cat(objectness, 1);
  scores.deltas = at::cat(deltas, 1);
  scores.anchors = at::cat(anchors);
  return scores;
}

std::vector<at::Tensor> RegionProposals::propose(const Scores& scores, const std::vector<sectile::Extent>& sizes,
                                                 bool training) const {
  const auto type = scores.anchors.scalar_type();
  const auto objectness = scores.objectness.detach().to(type), deltas = scores.deltas.detach().to(type);
  const std::int64_t before = training ? options_.pre_nms_top_n_train : options_.pre_nms_top_n_test,
                     after = training ? options_.post_nms_top_n_train : options_.post_nms_top_n_test;
  std::vector<at::Tensor> best, levels;  // of each level: [N, K], [K]
  std::int64_t first = 0;
  for (std::size_t i = 0; i < scores.of_level.size(); first += scores.of_level[i++]) {
    const auto of_level = objectness.slice(1, first, first + scores.of_level[i]);
    best.push_back(std::get<1>(of_level.topk(std::min(before, of_level.size(1)), 1)) + first);
    levels.push_back(at::full({best.back().size(1)}, static_cast<std::int64_t>(i), best.back().options()));
  }
  const auto chosen = at::cat(best, 1), level = at::cat(levels);
  std::vector<at::Tensor> proposals;
  for (std::int64_t n = 0; n < chosen.size(0); ++n) {
    const auto& index = chosen[n];
    const auto& size = sizes[static_cast<std::size_t>(n)];
    auto boxes =
        nn::decode_boxes(deltas[n].index_select(0, index), scores.anchors.index_select(0, index), kWeights).squeeze(1);
    boxes = nn::clip_boxes(boxes, size.height, size.width);
    const auto of_boxes = objectness[n].index_select(0, index).sigmoid();
    const auto usable =
        nn::larger_than(boxes, kLeastSide).logical_and(of_boxes >= options_.score_thresh).nonzero().squeeze(1);
    boxes = boxes.index_select(0, usable);
    const auto kept =
        nn::nms(boxes, of_boxes.index_select(0, usable), level.index_select(0, usable), options_.nms_thresh);
    proposals.push_back(boxes.index_select(0, kept.slice(0, 0, after)));
  }
  return proposals;
}

void RegionProposals::add_targets(const Scores& scores, const std::vector<at::Tensor>& truths,
                                  sectile::Outputs& outputs) const {
  std::vector<at::Tensor> objectness, labels, deltas, targets;
  for (std::size_t n = 0; n < truths.size(); ++n) {
    const auto image = static_cast<std::int64_t>(n);
    const auto truth = truths[n].to(scores.anchors.scalar_type());
    const auto matches = nn::match_boxes(truth, scores.anchors, options_.bg_iou_thresh, options_.fg_iou_thresh, true);
    const auto [positive, negative] =
        nn::sample_matches(matches, options_.batch_size_per_image, options_.positive_fraction);
    const auto of_image = scores.objectness[image];
    objectness.insert(objectness.end(), {of_image.index_select(0, positive), of_image.index_select(0, negative)});
    labels.insert(labels.end(), {at::ones_like(positive), at::zeros_like(negative)});
    deltas.push_back(scores.deltas[image].index_select(0, positive));
    targets.push_back(nn::encode_boxes(truth.index_select(0, matches.index_select(0, positive)),
                                       scores.anchors.index_select(0, positive), kWeights));
  }
  outputs.named["rpn/objectness"] = at::cat(objectness);
  outputs.named["rpn/labels"] = at::cat(labels);
  outputs.named["rpn/deltas"] = at::cat(deltas);
  outputs.named["rpn/targets"] = at::cat(targets);
}

}  // namespace mask_rcnn
