// Mask R-CNN (He et al. 2017, arXiv:1703.06870) and Faster R-CNN (Ren et al. 2015, arXiv:1506.01497) with a feature
// pyramid on any backbone. Names, options and numbers are those of torchvision's maskrcnn_resnet50_fpn,
// maskrcnn_resnet50_fpn_v2 and their fasterrcnn, whose weights load without conversion.
#include <algorithm>

#include <ATen/ops/cat.h>
#include <torch/nn/init.h>
#include <torch/nn/module.h>

#include <sectile/error.h>
#include <sectile/model.h>
#include <sectile/nn/conv.h>
#include <sectile/nn/detection/boxes.h>
#include <sectile/nn/detection/restore_objects.h>
#include <sectile/roles.h>

#include "feature_pyramid.h"
#include "region_heads.h"
#include "region_proposals.h"
#include "torchvision_files.h"

namespace {

namespace nn = sectile::nn;
using namespace mask_rcnn;

constexpr int kChannels = 256;  // of the pyramid
constexpr int kFeatures = 4;    // levels of the backbone

class Detector : public torch::nn::Module, public sectile::Model, public sectile::WeightRules {
 public:
  Detector(const Options& options, const sectile::BuildContext& context, bool masks)
      : masks_(masks),
        labels_(context.labels),
        backbone_(nn::register_at(*this, "backbone.body",
                                  sectile::build_backbone(options.backbone, context, {.levels = {-4, -3, -2, -1}}))),
        pyramid_(*this, "backbone.fpn", backbone_->levels(), kChannels, norm_of(options)),
        proposals_(*this, "rpn.head", options.rpn, kChannels, kFeatures + 1, options.version == Version::v2 ? 2 : 1),
        heads_(*this, "roi_heads", options.box,
               {.channels = kChannels,
                .classes = context.classes(),
                .version = options.version,
                .masks = masks,
                .strides = strides()}) {
    initialize();
  }

  sectile::Outputs forward(const sectile::Batch& batch) override {
    const auto pyramid = pyramid_.forward(backbone_->features(batch.images));
    const auto scores = proposals_.score(pyramid, batch.images.sizes().slice(2));
    const auto proposals = proposals_.propose(scores, batch.sizes, is_training());
    sectile::Outputs outputs;
    if (!is_training()) {
      outputs.named["proposals"] = at::cat(proposals);
      heads_.detect(pyramid, proposals, batch.sizes, outputs);
      return outputs;
    }
    std::vector<sectile::Objects> truths;
    std::vector<at::Tensor> boxes;
    for (const auto& objects : batch.objects) {
      truths.push_back(without_crowds(objects));
      boxes.push_back(truths.back().boxes);
    }
    if (masks_) demand_masks(truths);
    proposals_.add_targets(scores, boxes, outputs);
    heads_.add_targets(pyramid, proposals, truths, outputs);
    return outputs;
  }

  sectile::ModelTraits traits() const override {
    constexpr int kDivisor = 32;
    return {.tasks = {sectile::Task::instance},
            .masks = masks_,
            .divisor = {1, kDivisor, kDivisor},
            .loss = "mask_rcnn",
            .reads_values = true};
  }
  torch::nn::Module& module() override { return *this; }

  std::vector<sectile::Prediction> decode(const sectile::Outputs& outputs, const sectile::Batch& batch,
                                          const sectile::Wanted& wanted) const override {
    const auto images = outputs.at("images").to(at::kCPU).contiguous();
    const auto* const of = images.const_data_ptr<std::int64_t>();
    std::vector<sectile::Prediction> predictions(batch.sizes.size());
    std::int64_t first = 0;
    for (std::size_t n = 0; n < predictions.size(); ++n) {
      const auto last = std::upper_bound(of + first, of + images.numel(), static_cast<std::int64_t>(n)) - of;
      const auto part = [&](const char* name) { return outputs.at(name).slice(0, first, last); };
      predictions[n].id = batch.truth[n].id;
      predictions[n].instances = nn::restore_objects({.boxes = part("boxes"),
                                                      .scores = part("scores"),
                                                      .classes = part("classes"),
                                                      .masks = masks_ && wanted.masks ? part("masks") : at::Tensor()},
                                                     batch, n);
      first = last;
    }
    return predictions;
  }

  std::vector<sectile::Dialect> dialects() const override { return {torchvision_dialect(*labels_)}; }
  std::vector<std::string> head() const override {
    std::vector<std::string> all{"roi_heads.box_predictor.cls_score", "roi_heads.box_predictor.bbox_pred"};
    if (masks_) all.emplace_back("roi_heads.mask_predictor.mask_fcn_logits");
    return all;
  }

 private:
  static nn::Norm norm_of(const Options& options) {
    return options.version == Version::v2 ? nn::Norm::batch : nn::Norm::none;
  }
  std::vector<int> strides() const {
    std::vector<int> all;
    for (const auto& level : backbone_->levels()) all.push_back(level.stride);
    return all;
  }

  // As in torchvision's reference, crowds are no objects, and what they cover is background. Boxes without an area are
  // left out too: their overlap with others is not a number.
  static sectile::Objects without_crowds(const sectile::Objects& objects) {
    const auto single = objects.crowd.logical_not().logical_and(nn::box_areas(objects.boxes) > 0).nonzero().squeeze(1);
    return {.boxes = objects.boxes.index_select(0, single),
            .classes = objects.classes.index_select(0, single),
            .masks = objects.masks.defined() ? objects.masks.index_select(0, single) : at::Tensor(),
            .crowd = objects.crowd.index_select(0, single)};
  }

  // Objects of some images may lack masks, but not of all: the masks of such a network would be made up.
  void demand_masks(const std::vector<sectile::Objects>& truths) {
    constexpr int kBatches = 10;
    if (has_seen_masks_) return;
    const auto any = [&](const auto& holds) { return std::any_of(truths.begin(), truths.end(), holds); };
    has_seen_masks_ = any([](const auto& truth) { return truth.masks.defined() && truth.masks.size(0) > 0; });
    if (has_seen_masks_ || !any([](const auto& truth) { return truth.classes.size(0) > 0; })) return;
    if (++batches_without_masks_ >= kBatches)
      throw sectile::DataError("/data/train",
                               "no object has a mask in the first " + std::to_string(kBatches) +
                                   " batches, and mask_rcnn learns masks: use data that has them, or the "
                                   "model faster_rcnn, which learns boxes alone");
  }

  // torchvision's initial weights.
  void initialize() {
    torch::NoGradGuard no_gradients;
    for (const auto& item : named_modules("", /*include_self=*/false)) {
      auto* const conv = dynamic_cast<nn::Conv*>(item.value().get());
      if (!conv || item.key().starts_with("backbone.body")) continue;
      if (item.key().starts_with("backbone.fpn"))
        torch::nn::init::kaiming_uniform_(conv->weight, 1);
      else if (item.key().starts_with("rpn"))
        torch::nn::init::normal_(conv->weight, 0, 0.01);
      else
        torch::nn::init::kaiming_normal_(conv->weight, 0, torch::kFanOut, torch::kReLU);
      if (conv->bias.defined()) torch::nn::init::zeros_(conv->bias);
    }
  }

  bool masks_;
  bool has_seen_masks_ = false;
  int batches_without_masks_ = 0;
  std::shared_ptr<const sectile::LabelMap> labels_;
  std::shared_ptr<sectile::Backbone> backbone_;
  FeaturePyramid pyramid_;
  RegionProposals proposals_;
  RegionHeads heads_;
};

struct MaskRcnn final : Detector {
  MaskRcnn(const MaskOptions& options, const sectile::BuildContext& context) : Detector(options, context, true) {}
};

struct FasterRcnn final : Detector {
  FasterRcnn(const Options& options, const sectile::BuildContext& context) : Detector(options, context, false) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::model<MaskRcnn, MaskOptions>(
                   "mask_rcnn", "Mask R-CNN (He et al. 2017) with a feature pyramid: objects with boxes and masks."),
               sectile::model<FasterRcnn, Options>(
                   "faster_rcnn", "Faster R-CNN (Ren et al. 2015) with a feature pyramid: objects with boxes."))
