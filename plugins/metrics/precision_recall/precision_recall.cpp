// Precision, recall and F-beta per class, by the rules of mmsegmentation's mFscore (IoUMetric).
#include <limits>

#include <sectile/confusion_metric.h>

namespace {

struct PrecisionRecallOptions {
  double beta = 1;

  void declare(sectile::Options& options) {
    options
        .add("beta", &beta,
             "How much more recall counts than precision in F = (1 + beta^2) x precision x recall / (beta^2 x "
             "precision + recall). 1: both alike, which is Dice.")
        .at_least(1e-3)
        .at_most(1e3);
  }
};

class PrecisionRecall final : public sectile::ConfusionMetric {
 public:
  PrecisionRecall(const PrecisionRecallOptions& options, const sectile::BuildContext& context)
      : ConfusionMetric("precision_recall", context), square_(options.beta * options.beta) {}

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"F-score", "precision", "recall", "pixels", "predicted"};
    report.convention =
        "Precision = TP / (TP + FP) and recall = TP / (TP + FN) per class, from one confusion matrix over all pixels "
        "of all images; F-score = (1 + b) x precision x recall / (b x precision + recall), where b is the square of "
        "beta. As in mmsegmentation: precision and recall are undefined where they are 0 / 0, the F-score where "
        "either is undefined or both are 0, and means are over the classes that have a value. Pixels ignored in the "
        "truth do not count.";
    std::vector<double> scores, precisions, recalls;
    for (const auto& of : per_class()) {
      precisions.push_back(ratio(of.true_positive, of.predicted()));
      recalls.push_back(ratio(of.true_positive, of.truth()));
      scores.push_back(score(precisions.back(), recalls.back()));
      report.per_class.push_back({scores.back(), precisions.back(), recalls.back(), static_cast<double>(of.truth()),
                                  static_cast<double>(of.predicted())});
    }
    report.values = {{"mFscore", mean(scores)}, {"mPrecision", mean(precisions)}, {"mRecall", mean(recalls)}};
    return report;
  }

 private:
  double score(double precision, double recall) const {
    const double below = square_ * precision + recall;  // NaN if either is
    if (!(below > 0)) return std::numeric_limits<double>::quiet_NaN();
    return (1 + square_) * precision * recall / below;
  }

  double square_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<PrecisionRecall, PrecisionRecallOptions>(
                            "precision_recall", "Precision, recall and F-score (F-beta) per class and their means."))
