// Intersection over union (IoU) per class and mean IoU, from one confusion matrix over all images.
#include <sectile/confusion_metric.h>

namespace {

class Iou final : public sectile::ConfusionMetric {
 public:
  explicit Iou(const sectile::BuildContext& context) : ConfusionMetric("iou", context) {}

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"IoU", "accuracy", "precision", "pixels"};
    report.convention =
        "IoU = TP / (TP + FP + FN) per class, from one confusion matrix over all pixels of all images; mIoU: mean over "
        "the classes that occur in truth or prediction. Accuracy = TP / (TP + FN), precision = TP / (TP + FP). Pixels "
        "ignored in the truth do not count.";
    std::vector<double> ious;
    for (const auto& of : per_class()) {
      ious.push_back(ratio(of.true_positive, of.truth() + of.false_positive));
      report.per_class.push_back({ious.back(), ratio(of.true_positive, of.truth()),
                                  ratio(of.true_positive, of.predicted()), static_cast<double>(of.truth())});
    }
    report.values = {{"mIoU", mean(ious)}};
    if (!overlapping()) report.tables = {table()};
    return report;
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<Iou>("iou", "Intersection over union per class and its mean (mIoU)."))
