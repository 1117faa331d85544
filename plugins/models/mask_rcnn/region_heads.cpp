#include "region_heads.h"

#include <algorithm>
#include <cmath>

#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/nms.h>

namespace mask_rcnn {
namespace {

namespace nn = sectile::nn;

constexpr nn::BoxWeights kWeights{10, 10, 5, 5};
constexpr double kLeastSide = 1e-2;  // of an object, in pixels
constexpr int kBoxSize = 7, kMaskSize = 14;
constexpr int kHidden = 1024, kMaskChannels = 256;
constexpr int kConvs = 4;

// The level whose cells fit a box: one of 224 pixels is read from that of stride 16 (Lin et al. 2016, equation 1).
// In the boxes' type, as rounding decides at the borders. int64 [K]
at::Tensor levels_of(const at::Tensor& boxes, const std::vector<int>& strides) {
  constexpr double kSide = 224, kLevel = 4, kLeast = 1e-6;
  const auto level = (((nn::box_areas(boxes).sqrt() / kSide).log2() + kLevel) + kLeast).floor();
  const double first = std::log2(strides.front());
  return (level - first).clamp(0, static_cast<double>(strides.size() - 1)).to(at::kCPU, at::kLong);
}

}  // namespace

RegionHeads::RegionHeads(torch::nn::Module& owner, const std::string& path, const HeadOptions& options,
                         const Layout& layout)
    : options_(options), layout_(layout) {
  const bool with_norm = layout.version == Version::v2;
  const auto conv = [&](const std::string& name, int in, int out) {
    return nn::ConvNormAct(owner, nn::in_sequence(path + name),
                           {.in_channels = in,
                            .out_channels = out,
                            .kernel_size = 3,
                            .padding = 1,
                            .norm = with_norm ? nn::Norm::batch : nn::Norm::none});
  };
  const auto linear = [&](const std::string& name, int in, int out) {
    return nn::register_at(owner, path + name, std::make_shared<nn::Linear>(in, out));
  };
  const int flat = layout.channels * kBoxSize * kBoxSize;
  if (with_norm) {
    for (int i = 0; i < kConvs; ++i)
      box_convs_.push_back(conv(".box_head." + std::to_string(i), layout.channels, layout.channels));
    box_layers_.push_back(linear(".box_head.5", flat, kHidden));
  } else {
    box_layers_ = {linear(".box_head.fc6", flat, kHidden), linear(".box_head.fc7", kHidden, kHidden)};
  }
  class_scores_ = linear(".box_predictor.cls_score", kHidden, layout.classes + 1);
  box_deltas_ = linear(".box_predictor.bbox_pred", kHidden, 4 * (layout.classes + 1));
  if (!layout.masks) return;
  for (int i = 0; i < kConvs; ++i)
    mask_convs_.push_back(
        conv(".mask_head." + std::to_string(i), i == 0 ? layout.channels : kMaskChannels, kMaskChannels));
  const auto predictor = [&](const char* name, nn::ConvOptions of_conv) {
    return nn::register_at(owner, path + ".mask_predictor." + name, std::make_shared<nn::Conv>(of_conv));
  };
  mask_enlarged_ = predictor("conv5_mask", {.in_channels = kMaskChannels,
                                            .out_channels = kMaskChannels,
                                            .kernel_size = 2,
                                            .stride = 2,
                                            .transposed = true,
                                            .activation = nn::Activation::relu});
  mask_scores_ = predictor("mask_fcn_logits", {.in_channels = kMaskChannels,
                                               .out_channels = options.class_agnostic_masks ? 1 : layout.classes + 1,
                                               .kernel_size = 1});
}

at::Tensor RegionHeads::pooled(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& boxes,
                               int size) const {
  const auto used = layout_.strides.size();
  std::vector<double> scales;
  for (const int stride : layout_.strides) scales.push_back(1. / stride);
  const auto all = at::cat(boxes);
  const auto levels = levels_of(all, layout_.strides);
  std::vector<nn::RoiPlace> places;
  for (std::size_t image = 0; image < boxes.size(); ++image)
    for (std::int64_t i = 0; i < boxes[image].size(0); ++i)
      places.push_back(
          {static_cast<int>(image), static_cast<int>(levels.const_data_ptr<std::int64_t>()[places.size()])});
  return nn::roi_align({pyramid.begin(), pyramid.begin() + static_cast<std::ptrdiff_t>(used)}, scales, all, places,
                       {.output_size = size});
}

at::Tensor RegionHeads::box_features(at::Tensor regions) const {
  if (regions.size(0) == 0) return at::empty({0, kHidden}, regions.options());
  for (const auto& conv : box_convs_) regions = conv.forward(regions);
  auto x = regions.flatten(1);
  for (const auto& layer : box_layers_) x = layer->forward(x).relu();
  return x;
}

at::Tensor RegionHeads::mask_logits(at::Tensor regions) const {
  for (const auto& conv : mask_convs_) regions = conv.forward(regions);
  return mask_scores_->forward(mask_enlarged_->forward(regions));
}

at::Tensor RegionHeads::of_class(const at::Tensor& masks, const at::Tensor& classes) const {
  if (options_.class_agnostic_masks) return masks.squeeze(1);
  const auto index = classes.view({-1, 1, 1, 1}).expand({-1, 1, masks.size(2), masks.size(3)});
  return masks.gather(1, index).squeeze(1);
}

// Proposals of one image that the loss counts: those with an object first.
struct RegionHeads::Drawn {
  at::Tensor boxes;    // [K, 4]
  at::Tensor labels;   // int64 [K], 0: none
  at::Tensor objects;  // int64 [P]: which one the first P stand for
};

RegionHeads::Drawn RegionHeads::draw(const at::Tensor& proposals, const sectile::Objects& truth) const {
  const auto boxes = at::cat({proposals, truth.boxes.to(proposals.scalar_type())});
  const auto matches = nn::match_boxes(truth.boxes.to(boxes.scalar_type()), boxes, options_.bg_iou_thresh,
                                       options_.fg_iou_thresh, false);
  const auto [positive, negative] =
      nn::sample_matches(matches, options_.batch_size_per_image, options_.positive_fraction);
  const auto objects = matches.index_select(0, positive);
  const auto labels =
      at::cat({truth.classes.index_select(0, objects) + 1, at::zeros({negative.size(0)}, objects.options())});
  return {boxes.index_select(0, at::cat({positive, negative})), labels, objects};
}

namespace {

// Parts of masks, resized: of object chosen[i], what is in boxes[i]. Only as many masks as fit into a few megabytes are
// numbers at a time: 300 of a large photo would be a gigabyte.
at::Tensor parts_of_masks(const at::Tensor& masks, const at::Tensor& chosen, const at::Tensor& boxes, int size) {
  constexpr std::int64_t kPixels = 1 << 23;
  const auto at_once = std::max<std::int64_t>(1, kPixels / std::max<std::int64_t>(1, masks[0].numel()));
  const auto* const object = chosen.const_data_ptr<std::int64_t>();
  auto parts = at::empty({chosen.size(0), size, size}, boxes.options());
  for (std::int64_t first = 0; first < masks.size(0); first += at_once) {
    std::vector<std::int64_t> rows;
    std::vector<nn::RoiPlace> places;
    for (std::int64_t i = 0; i < chosen.size(0); ++i) {
      if (object[i] < first || object[i] >= first + at_once) continue;
      rows.push_back(i);
      places.push_back({static_cast<int>(object[i] - first), 0});
    }
    if (rows.empty()) continue;
    const auto index = at::tensor(rows, at::kLong).to(boxes.device());
    const auto numbers = masks.slice(0, first, first + at_once).to(boxes.scalar_type()).unsqueeze(1);
    parts.index_copy_(
        0, index,
        nn::roi_align({numbers}, {1}, boxes.index_select(0, index), places, {.output_size = size, .sampling_ratio = 0})
            .squeeze(1));
  }
  return parts;
}

// Which of these objects have a mask, and it, cut to its box and resized: [P], [P, size, size].
std::pair<at::Tensor, at::Tensor> mask_targets(const sectile::Objects& truth, const at::Tensor& objects,
                                               const at::Tensor& boxes, int size) {
  if (!truth.masks.defined() || objects.size(0) == 0)
    return {at::empty({0}, objects.options()), at::empty({0, size, size}, boxes.options())};
  const auto has_mask = truth.masks.flatten(1).any(1).index_select(0, objects).nonzero().squeeze(1);
  const auto chosen = objects.index_select(0, has_mask).to(at::kCPU);
  return {has_mask, parts_of_masks(truth.masks, chosen, boxes.index_select(0, has_mask), size)};
}

}  // namespace

void RegionHeads::add_targets(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& proposals,
                              const std::vector<sectile::Objects>& truths, sectile::Outputs& outputs) const {
  std::vector<at::Tensor> boxes, labels, targets, rows;
  std::vector<at::Tensor> mask_boxes, mask_labels, masks;
  std::int64_t first = 0;
  for (std::size_t n = 0; n < proposals.size(); ++n) {
    const auto drawn = draw(proposals[n], truths[n]);
    const auto count = drawn.objects.size(0);
    const auto of_objects = drawn.boxes.slice(0, 0, count);
    boxes.push_back(drawn.boxes);
    labels.push_back(drawn.labels);
    rows.push_back(at::arange(first, first + count, drawn.labels.options()));
    targets.push_back(nn::encode_boxes(truths[n].boxes.to(of_objects.scalar_type()).index_select(0, drawn.objects),
                                       of_objects, kWeights));
    first += drawn.boxes.size(0);
    if (!layout_.masks) continue;
    const auto [has_mask, target] = mask_targets(truths[n], drawn.objects, of_objects, 2 * kMaskSize);
    mask_boxes.push_back(of_objects.index_select(0, has_mask));
    mask_labels.push_back(drawn.labels.index_select(0, has_mask));
    masks.push_back(target);
  }
  const auto features = box_features(pooled(pyramid, boxes, kBoxSize));
  const auto all_labels = at::cat(labels), with_object = at::cat(rows);
  const auto classes = all_labels.index_select(0, with_object);
  outputs.named["box/logits"] = class_scores_->forward(features);
  outputs.named["box/labels"] = all_labels;
  outputs.named["box/deltas"] = box_deltas_->forward(features)
                                    .view({features.size(0), layout_.classes + 1, 4})
                                    .index_select(0, with_object)
                                    .gather(1, classes.view({-1, 1, 1}).expand({-1, 1, 4}))
                                    .squeeze(1);
  outputs.named["box/targets"] = at::cat(targets);
  if (!layout_.masks) return;
  outputs.named["mask/targets"] = at::cat(masks);
  const auto of_masks = at::cat(mask_labels);
  outputs.named["mask/logits"] = of_masks.size(0) == 0
                                     ? outputs.named["mask/targets"]
                                     : of_class(mask_logits(pooled(pyramid, mask_boxes, kMaskSize)), of_masks);
}

void RegionHeads::detect(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& proposals,
                         const std::vector<sectile::Extent>& sizes, sectile::Outputs& outputs) const {
  const auto features = box_features(pooled(pyramid, proposals, kBoxSize));
  const auto type = features.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto all_scores = class_scores_->forward(features).to(type).softmax(1);
  const auto all_deltas = box_deltas_->forward(features).to(type);
  std::vector<at::Tensor> boxes, scores, classes, images;
  std::int64_t first = 0;
  for (std::size_t n = 0; n < proposals.size(); ++n) {
    const auto count = proposals[n].size(0);
    const auto rows = [&](const at::Tensor& all) { return all.slice(0, first, first + count); };
    const auto of_classes =
        nn::clip_boxes(nn::decode_boxes(rows(all_deltas), proposals[n], kWeights), sizes[n].height, sizes[n].width);
    // Of each proposal, every class but that of no object.
    const auto candidates = of_classes.slice(1, 1).reshape({-1, 4});
    const auto of_candidates = rows(all_scores).slice(1, 1).reshape({-1});
    const auto usable = (of_candidates > options_.score_thresh)
                            .logical_and(nn::larger_than(candidates, kLeastSide))
                            .nonzero()
                            .squeeze(1);
    const auto category = usable.remainder(layout_.classes);
    const auto usable_boxes = candidates.index_select(0, usable), usable_scores = of_candidates.index_select(0, usable);
    const auto kept =
        nn::nms(usable_boxes, usable_scores, category, options_.nms_thresh).slice(0, 0, options_.detections_per_img);
    boxes.push_back(usable_boxes.index_select(0, kept));
    scores.push_back(usable_scores.index_select(0, kept));
    classes.push_back(category.index_select(0, kept));
    images.push_back(at::full({kept.size(0)}, static_cast<std::int64_t>(n), kept.options()));
    first += count;
  }
  outputs.named["boxes"] = at::cat(boxes);
  outputs.named["scores"] = at::cat(scores);
  outputs.named["classes"] = at::cat(classes);
  outputs.named["images"] = at::cat(images);
  if (!layout_.masks) return;
  const auto& of_masks = outputs.named["classes"];
  outputs.named["masks"] =
      of_masks.size(0) == 0 ? at::empty({0, 2 * kMaskSize, 2 * kMaskSize}, outputs.named["scores"].options())
                            : of_class(mask_logits(pooled(pyramid, boxes, kMaskSize)), of_masks + 1).to(type).sigmoid();
}

}  // namespace mask_rcnn
