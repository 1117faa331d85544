// Frequency weighted IoU (Long, Shelhamer and Darrell, "Fully convolutional networks", CVPR 2015, arXiv:1411.4038).
#include <sectile/confusion_metric.h>

namespace {

class FrequencyWeightedIou final : public sectile::ConfusionMetric {
 public:
  explicit FrequencyWeightedIou(const sectile::BuildContext& context)
      : ConfusionMetric("frequency_weighted_iou", context) {}

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"IoU", "share", "pixels"};
    report.convention =
        "fwIoU: sum over classes of the class's share of all true pixels x its IoU, TP / (TP + FP + FN), from one "
        "confusion matrix over all pixels of all images, as in the FCN paper. A class without a true pixel has no "
        "weight. If classes overlap, a share is of the true pixels of all classes together. Pixels ignored in the "
        "truth do not count.";
    const auto classes = per_class();
    std::int64_t all = 0;
    for (const auto& of : classes) all += of.truth();
    double sum = ratio(0, all);  // NaN without a true pixel
    for (const auto& of : classes) {
      const double iou = ratio(of.true_positive, of.truth() + of.false_positive), share = ratio(of.truth(), all);
      if (of.truth() > 0) sum += share * iou;
      report.per_class.push_back({iou, share, static_cast<double>(of.truth())});
    }
    report.values = {{"fwIoU", sum}};
    return report;
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<FrequencyWeightedIou>(
                            "frequency_weighted_iou",
                            "Mean of the classes' IoU, weighted by their shares of the true pixels (fwIoU)."))
