// The region proposal network (Ren et al. 2015, arXiv:1506.01497): where objects may be, whatever they are.
#pragma once

#include <vector>

#include <sectile/batch.h>
#include <sectile/nn/conv_norm_act.h>

#include "options.h"

namespace mask_rcnn {

class RegionProposals final {
 public:
  // levels: of the pyramid.
  RegionProposals(torch::nn::Module& owner, const std::string& path, const RegionOptions& options, int channels,
                  int levels, int conv_depth);

  // Of all levels, one after the other, each by row, column and anchor.
  struct Scores {
    at::Tensor objectness;               // [N, A]
    at::Tensor deltas;                   // [N, A, 4]
    at::Tensor anchors;                  // [A, 4]
    std::vector<std::int64_t> of_level;  // how many of A each level has
  };
  // size: height and width of the batch's images.
  Scores score(const std::vector<at::Tensor>& pyramid, at::IntArrayRef size) const;

  // For each image the best boxes, without gradients: [K, 4].
  std::vector<at::Tensor> propose(const Scores& scores, const std::vector<sectile::Extent>& sizes, bool training) const;

  // What the loss compares, of anchors drawn from all images: "rpn/objectness", "rpn/labels" (1 or 0), "rpn/deltas" and
  // "rpn/targets" of those with an object.
  void add_targets(const Scores& scores, const std::vector<at::Tensor>& truths, sectile::Outputs& outputs) const;

 private:
  RegionOptions options_;
  std::vector<at::Tensor> cells_;  // of each level: [anchors, 4], around (0, 0)
  std::vector<sectile::nn::ConvNormAct> convs_;
  std::shared_ptr<sectile::nn::Conv> objectness_, deltas_;
};

}  // namespace mask_rcnn
