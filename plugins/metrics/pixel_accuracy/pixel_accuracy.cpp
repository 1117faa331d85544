// Pixel accuracy, overall and as a mean over classes.
#include <sectile/confusion_metric.h>

namespace {

class PixelAccuracy final : public sectile::ConfusionMetric {
 public:
  explicit PixelAccuracy(const sectile::BuildContext& context) : ConfusionMetric("pixel_accuracy", context) {}

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"accuracy", "pixels"};
    report.convention =
        "Pixel accuracy: correct pixels / all pixels; if classes overlap, counted for each class of each pixel. Class "
        "accuracy: correct pixels of the class / its pixels; the mean is over the classes that occur in the truth. "
        "Pixels ignored in the truth do not count.";
    std::vector<double> accuracies;
    std::int64_t right = 0, all = 0;
    for (const auto& of : per_class()) {
      right += of.true_positive + (overlapping() ? of.true_negative : 0);
      all += overlapping() ? of.all() : of.truth();
      accuracies.push_back(ratio(of.true_positive, of.truth()));
      report.per_class.push_back({accuracies.back(), static_cast<double>(of.truth())});
    }
    report.values = {{"pixel accuracy", ratio(right, all)}, {"mean accuracy", mean(accuracies)}};
    return report;
  }
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::metric<PixelAccuracy>("pixel_accuracy",
                                              "Fraction of correct pixels, overall and as a mean over classes."))
