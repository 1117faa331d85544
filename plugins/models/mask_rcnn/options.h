// Options of Mask R-CNN and Faster R-CNN. Their names and defaults are those of torchvision's constructors.
#pragma once

#include <vector>

#include <sectile/backbone.h>

namespace mask_rcnn {

// torchvision's two layouts: v2 has batch norm in the pyramid and the heads, a convolution more before the proposals,
// and four before the boxes (Li et al. 2021, arXiv:2111.11429).
enum class Version { v1, v2 };

// Of the region proposals.
struct RegionOptions {
  std::vector<double> anchor_sizes{32, 64, 128, 256, 512};
  std::vector<double> aspect_ratios{0.5, 1, 2};
  int pre_nms_top_n_train = 2000, pre_nms_top_n_test = 1000;
  int post_nms_top_n_train = 2000, post_nms_top_n_test = 1000;
  double nms_thresh = 0.7;
  double score_thresh = 0;
  double fg_iou_thresh = 0.7, bg_iou_thresh = 0.3;
  int batch_size_per_image = 256;
  double positive_fraction = 0.5;

  std::vector<double> sizes_of(int level) const { return {anchor_sizes[static_cast<std::size_t>(level)]}; }
};

// Of the boxes, classes and masks.
struct HeadOptions {
  double score_thresh = 0.05;
  double nms_thresh = 0.5;
  int detections_per_img = 100;
  double fg_iou_thresh = 0.5, bg_iou_thresh = 0.5;
  int batch_size_per_image = 512;
  double positive_fraction = 0.25;
  bool class_agnostic_masks = false;
};

struct Options {
  sectile::Ref<sectile::Backbone> backbone = sectile::Ref<sectile::Backbone>("resnet50");
  Version version = Version::v1;
  RegionOptions rpn;
  HeadOptions box;

  void declare(sectile::Options& options);
  void check(sectile::Problems& problems) const;
};

// With a mask for each object.
struct MaskOptions : Options {
  void declare(sectile::Options& options);
};

}  // namespace mask_rcnn
