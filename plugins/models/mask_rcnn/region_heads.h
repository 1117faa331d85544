// What is in a region: a class, a box, a mask (He et al. 2017, arXiv:1703.06870).
#pragma once

#include <optional>
#include <vector>

#include <sectile/batch.h>
#include <sectile/nn/conv_norm_act.h>
#include <sectile/nn/detection/roi_align.h>
#include <sectile/nn/linear.h>

#include "options.h"

namespace mask_rcnn {

class RegionHeads final {
 public:
  struct Layout {
    int channels;  // of the pyramid
    int classes;   // without that of no object
    Version version;
    bool masks;
    std::vector<int> strides;  // of the levels that regions are read from
  };
  RegionHeads(torch::nn::Module& owner, const std::string& path, const HeadOptions& options, const Layout& layout);

  // What the loss compares, of proposals drawn from all images and the objects themselves: "box/logits", "box/labels"
  // (0: none), "box/deltas" and "box/targets" of those with an object, and of these "mask/logits" and "mask/targets".
  void add_targets(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& proposals,
                   const std::vector<sectile::Objects>& truths, sectile::Outputs& outputs) const;

  // The objects of all images: "boxes" [K, 4], "scores", "classes" and "images" [K], and "masks" [K, M, M] of
  // probabilities.
  void detect(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& proposals,
              const std::vector<sectile::Extent>& sizes, sectile::Outputs& outputs) const;

 private:
  struct Drawn;
  Drawn draw(const at::Tensor& proposals, const sectile::Objects& truth) const;
  at::Tensor pooled(const std::vector<at::Tensor>& pyramid, const std::vector<at::Tensor>& boxes, int size) const;
  at::Tensor box_features(at::Tensor regions) const;
  at::Tensor mask_logits(at::Tensor regions) const;                               // [K, classes, M, M]
  at::Tensor of_class(const at::Tensor& masks, const at::Tensor& classes) const;  // [K, M, M]

  HeadOptions options_;
  Layout layout_;
  std::vector<sectile::nn::ConvNormAct> box_convs_, mask_convs_;
  std::vector<std::shared_ptr<sectile::nn::Linear>> box_layers_;
  std::shared_ptr<sectile::nn::Linear> class_scores_, box_deltas_;
  std::shared_ptr<sectile::nn::Conv> mask_enlarged_, mask_scores_;
};

}  // namespace mask_rcnn
