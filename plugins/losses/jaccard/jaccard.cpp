// Soft Jaccard (IoU) loss: 1 - overlap / (predicted + true - overlap) per class. With "absent": "zero" and "eps": 1e-7
// segmentation_models_pytorch's JaccardLoss.
#include <ATen/TensorOperators.h>

#include <sectile/losses/region_loss.h>

namespace {

struct JaccardOptions : sectile::RegionLossOptions {
  double smooth = 0, eps = 1e-7;

  void declare(sectile::Options& options) {
    RegionLossOptions::declare(options);
    options.add("smooth", &smooth, "Added to the overlap and to the union, in pixels.").at_least(0);
    options.add("eps", &eps, "The union is at least this, in pixels.").at_least(1e-12);
  }
};

class Jaccard final : public sectile::RegionLoss {
 public:
  Jaccard(const JaccardOptions& options, const sectile::BuildContext& context)
      : RegionLoss(options, context), smooth_(options.smooth), eps_(options.eps) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    const auto nothing = counts.pixels == 0;  // every pixel is ignored: a perfect match
    const auto whole = (counts.predicted + counts.false_negative() + smooth_).clamp_min(eps_);
    return (1 - (counts.overlap + smooth_) / whole).masked_fill(nothing, 0);
  }

 private:
  double smooth_, eps_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Jaccard, JaccardOptions>("jaccard",
                                                               "Soft Jaccard (IoU) over softmax or per-class sigmoid."))
