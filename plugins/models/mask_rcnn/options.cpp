#include "options.h"

#include <algorithm>
#include <cmath>

namespace mask_rcnn {

namespace {

constexpr int kLevels = 5;  // of the pyramid

// Sides of anchors are rounded to even numbers of pixels, as in torchvision.
bool vanishes(double size, double ratio) {
  constexpr double kLeast = 1;
  return std::min(size * std::sqrt(ratio), size / std::sqrt(ratio)) <= kLeast;
}

void add_share(sectile::Options& options, const char* name, double* value, const char* help) {
  options.add(name, value, help).at_least(0).at_most(1);
}

}  // namespace

void Options::declare(sectile::Options& options) {
  options.add("backbone", &backbone, "Network that computes the features, at strides 4, 8, 16 and 32.");
  options
      .add("version", &version,
           "torchvision's layout. v1: no norm after the backbone. v2: with batch norm, a convolution more before the "
           "proposals and four before the boxes: better, and slower.")
      .one_of({"v1", "v2"});
  options
      .add("anchor_sizes", &rpn.anchor_sizes,
           "Sides of the square anchors of each level of the pyramid, in pixels of the network's input: 5 numbers, for "
           "strides 4 to 64. Smaller for small objects.")
      .at_least(1);
  options.add("anchor_ratios", &rpn.aspect_ratios, "Height to width of the anchors of each size.").at_least(0.01);
  options
      .add("rpn_pre_nms_top_n_train", &rpn.pre_nms_top_n_train,
           "Proposals of each level that are kept before overlapping ones are removed, in training.")
      .at_least(1);
  options.add("rpn_pre_nms_top_n_test", &rpn.pre_nms_top_n_test, "The same in prediction.").at_least(1);
  options
      .add("rpn_post_nms_top_n_train", &rpn.post_nms_top_n_train,
           "Proposals of each image that are kept after overlapping ones are removed, in training.")
      .at_least(1);
  options
      .add("rpn_post_nms_top_n_test", &rpn.post_nms_top_n_test,
           "The same in prediction. Fewer are faster, and find fewer objects.")
      .at_least(1);
  add_share(options, "rpn_nms_thresh", &rpn.nms_thresh, "IoU above which the weaker of two proposals is removed.");
  add_share(options, "rpn_score_thresh", &rpn.score_thresh, "Least score of a proposal, 0 to 1.");
  add_share(options, "rpn_fg_iou_thresh", &rpn.fg_iou_thresh, "IoU with an object from which an anchor stands for it.");
  add_share(options, "rpn_bg_iou_thresh", &rpn.bg_iou_thresh,
            "IoU with every object below which an anchor stands for none. Those between count for nothing.");
  options.add("rpn_batch_size_per_image", &rpn.batch_size_per_image, "Anchors of each image that the loss counts.")
      .at_least(1);
  add_share(options, "rpn_positive_fraction", &rpn.positive_fraction,
            "The largest share of them that stands for an object.");
  add_share(options, "box_score_thresh", &box.score_thresh,
            "Least score of a predicted object, 0 to 1. Average precision needs also weak ones.");
  add_share(options, "box_nms_thresh", &box.nms_thresh,
            "IoU above which the weaker of two objects of a class is removed.");
  options.add("box_detections_per_img", &box.detections_per_img, "Most objects that are predicted in an image.")
      .at_least(1);
  add_share(options, "box_fg_iou_thresh", &box.fg_iou_thresh,
            "IoU with an object from which a proposal stands for it.");
  add_share(options, "box_bg_iou_thresh", &box.bg_iou_thresh,
            "IoU with every object below which a proposal stands for none.");
  options.add("box_batch_size_per_image", &box.batch_size_per_image, "Proposals of each image that the loss counts.")
      .at_least(1);
  add_share(options, "box_positive_fraction", &box.positive_fraction,
            "The largest share of them that stands for an object.");
}

void Options::check(sectile::Problems& problems) const {
  if (rpn.anchor_sizes.size() != kLevels)
    problems.add("anchor_sizes", "has " + std::to_string(rpn.anchor_sizes.size()) +
                                     " numbers; one for each of the 5 levels is expected");
  if (rpn.aspect_ratios.empty()) problems.add("anchor_ratios", "is empty; at least one is expected");
  for (std::size_t i = 0; i < rpn.anchor_sizes.size(); ++i)
    for (const double ratio : rpn.aspect_ratios)
      if (vanishes(rpn.anchor_sizes[i], ratio)) {
        problems.add(
            "anchor_sizes/" + std::to_string(i),
            "is too small for one of \"anchor_ratios\": a side of such an anchor would be rounded to 0 pixels; "
            "expected more than 1 pixel on each side");
        break;
      }
  const auto draws = [](const char* kind, int count, double share, sectile::Problems& all) {
    if (count * share < 1)
      all.add(std::string(kind) + "_positive_fraction",
              std::string("is so small a share of \"").append(kind) +
                  "_batch_size_per_image\" that nothing that stands for an object would ever be counted; expected at "
                  "least 1 of them");
  };
  draws("rpn", rpn.batch_size_per_image, rpn.positive_fraction, problems);
  draws("box", box.batch_size_per_image, box.positive_fraction, problems);
  if (rpn.bg_iou_thresh > rpn.fg_iou_thresh)
    problems.add("rpn_bg_iou_thresh", "is above \"rpn_fg_iou_thresh\"; expected at most that");
  if (box.bg_iou_thresh > box.fg_iou_thresh)
    problems.add("box_bg_iou_thresh", "is above \"box_fg_iou_thresh\"; expected at most that");
}

void MaskOptions::declare(sectile::Options& options) {
  Options::declare(options);
  options.add("class_agnostic_masks", &box.class_agnostic_masks,
              "One mask for each object, instead of one for each class of which that of the object's class counts. For "
              "many classes, or few examples of each.");
}

}  // namespace mask_rcnn
