// Intersection over union (IoU, Jaccard index) per class and mean IoU, by the rules of several packages.
#include <sectile/region_metric.h>

namespace {

using sectile::RegionMetricOptions;

class Iou final : public sectile::RegionMetric {
 public:
  Iou(const RegionMetricOptions& options, const sectile::BuildContext& context)
      : RegionMetric({.type = "iou", .value = "IoU", .formula = "TP / (TP + FP + FN)"}, options, context) {}

 protected:
  double value(const Counts& of) const override { return ratio(of.true_positive, of.truth() + of.false_positive); }
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::metric<Iou, RegionMetricOptions>("iou",
                                                         "Intersection over union per class and its mean (mIoU)."))
