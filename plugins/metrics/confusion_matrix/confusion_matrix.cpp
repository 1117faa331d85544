// The confusion matrix, with pixel accuracy and Cohen's kappa (Cohen, "A coefficient of agreement", 1960).
#include <limits>
#include <utility>

#include <ATen/core/Tensor.h>

#include <sectile/confusion_metric.h>

namespace {

enum class Normalize { none, truth, prediction, all };

struct ConfusionMatrixOptions {
  Normalize normalize = Normalize::none;

  void declare(sectile::Options& options) {
    options
        .add("normalize", &normalize,
             "none: pixels. truth: shares of the true pixels of a class, so that each row adds up to 1. prediction: "
             "shares of the pixels predicted as a class, so that each column adds up to 1. all: shares of all pixels. "
             "If classes overlap, each class has a matrix of its own, with and without the class.")
        .one_of({"none", "truth", "prediction", "all"});
  }
};

class ConfusionMatrix final : public sectile::ConfusionMetric {
 public:
  ConfusionMatrix(const ConfusionMatrixOptions& options, const sectile::BuildContext& context)
      : ConfusionMetric("confusion_matrix", context), normalize_(options.normalize) {
    for (const auto& one : context.labels->classes) names_.push_back(one.name);
  }

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"correct", "pixels", "predicted"};
    report.convention =
        std::string("Pixels of all images, truth in rows and prediction in columns, ") + words() +
        "; a share of nothing is undefined. Pixel accuracy: correct pixels / all pixels. Kappa, Cohen's: (accuracy - "
        "e) / (1 - e), where e is the accuracy expected by chance, the sum over classes of their share of the truth x "
        "their share of the prediction; undefined if e is 1." +
        (overlapping() ? " Classes overlap: accuracy is over each class of each pixel, and kappa the mean of those of "
                         "the classes, each against its absence."
                       : "") +
        " Pixels ignored in the truth do not count.";
    const auto classes = per_class();
    std::int64_t right = 0, all = 0;
    std::vector<double> kappas;
    for (const auto& of : classes) {
      right += of.true_positive + (overlapping() ? of.true_negative : 0);
      all += overlapping() ? of.all() : of.truth();
      if (overlapping())
        kappas.push_back(
            kappa(of.true_positive + of.true_negative, of.all(),
                  product(of.truth(), of.predicted()) + product(of.all() - of.truth(), of.all() - of.predicted())));
      report.per_class.push_back({static_cast<double>(of.true_positive), static_cast<double>(of.truth()),
                                  static_cast<double>(of.predicted())});
    }
    if (!overlapping()) {
      double chance = 0;
      for (const auto& of : classes) chance += product(of.truth(), of.predicted());
      kappas.push_back(kappa(right, all, chance));
    }
    report.values = {{"pixel accuracy", ratio(right, all)}, {"kappa", mean(kappas)}};
    report.tables = {overlapping() ? of_each(classes) : of_all(classes, all)};
    return report;
  }

 private:
  static double product(std::int64_t a, std::int64_t b) { return static_cast<double>(a) * static_cast<double>(b); }

  // chance: the sum of products of counts. Counts, and not shares, so that 1 - e is 0 only where it is.
  static double kappa(std::int64_t right, std::int64_t all, double chance) {
    const double square = product(all, all), rest = square - chance;
    if (!(rest > 0)) return std::numeric_limits<double>::quiet_NaN();
    return (product(right, all) - chance) / rest;
  }

  const char* words() const {
    switch (normalize_) {
      case Normalize::none:
        return "as counts";
      case Normalize::truth:
        return "as shares of the true pixels of each class (of a row)";
      case Normalize::prediction:
        return "as shares of the pixels predicted as each class (of a column)";
      case Normalize::all:
        break;
    }
    return "as shares of all pixels";
  }

  double cell(std::int64_t pixels, std::int64_t truth, std::int64_t predicted, std::int64_t all) const {
    switch (normalize_) {
      case Normalize::none:
        return static_cast<double>(pixels);
      case Normalize::truth:
        return ratio(pixels, truth);
      case Normalize::prediction:
        return ratio(pixels, predicted);
      case Normalize::all:
        break;
    }
    return ratio(pixels, all);
  }

  sectile::MetricReport::Table of_all(const std::vector<Counts>& classes, std::int64_t all) const {
    sectile::MetricReport::Table made{
        .name = "confusion matrix (truth in rows)", .rows = names_, .columns = names_, .cells = {}};
    const auto* from = matrix().const_data_ptr<std::int64_t>();
    for (const auto& row : classes) {
      auto& cells = made.cells.emplace_back();
      for (const auto& column : classes) cells.push_back(cell(*from++, row.truth(), column.predicted(), all));
    }
    return made;
  }

  // The four cells of each class's own matrix, in a row.
  sectile::MetricReport::Table of_each(const std::vector<Counts>& classes) const {
    sectile::MetricReport::Table made{
        .name = "confusion matrix of each class", .rows = names_, .columns = {"TP", "FN", "FP", "TN"}, .cells = {}};
    for (const auto& of : classes) {
      const auto all = of.all(), with = of.truth(), found = of.predicted();
      made.cells.push_back({cell(of.true_positive, with, found, all), cell(of.false_negative, with, all - found, all),
                            cell(of.false_positive, all - with, found, all),
                            cell(of.true_negative, all - with, all - found, all)});
    }
    return made;
  }

  Normalize normalize_;
  std::vector<std::string> names_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<ConfusionMatrix, ConfusionMatrixOptions>(
                            "confusion_matrix", "Which class is taken for which, with pixel accuracy and kappa."))
