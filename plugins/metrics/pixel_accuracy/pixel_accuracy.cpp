// The share of pixels whose class is right, overall and as a mean over classes.
#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <sectile/metric.h>

namespace {

enum Column { counted, right, wanted, hit, columns };

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? std::numeric_limits<double>::quiet_NaN() : static_cast<double>(part) / static_cast<double>(whole);
}

class PixelAccuracy final : public sectile::Metric {
 public:
  explicit PixelAccuracy(const sectile::BuildContext& context)
      : classes_(context.classes()),
        overlapping_(context.labels->overlapping),
        counts_(at::zeros({classes_, Column::columns}, at::kLong)) {}

  sectile::Wanted wanted() const override { return {.labels = true, .overlapping = overlapping_}; }

  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    if (!truth.labels.defined()) return;
    if (!prediction.labels.defined()) throw sectile::PluginError("pixel_accuracy", "the prediction has no labels");
    if (truth.labels.is_floating_point() != overlapping_ || prediction.labels.sizes() != truth.labels.sizes())
      throw sectile::DataError(prediction.id, "prediction and truth differ in size or in the kind of labels");
    if (overlapping_)
      count_overlapping(prediction.labels.cpu().to(at::kBool).contiguous(),
                        truth.labels.cpu().to(at::kFloat).contiguous());
    else
      count(prediction, truth.labels.cpu().to(at::kLong).contiguous());
  }

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"accuracy", "pixels"};
    report.convention =
        "Pixel accuracy: right pixels / all pixels, where classes overlap each class of each pixel by itself. Accuracy "
        "of "
        "a class: its pixels that were found / its pixels; the mean is over the classes that occur in the truth. "
        "Pixels "
        "ignored in the truth do not count.";
    double sum = 0;
    std::int64_t occurring = 0;
    const auto* row = counts_.const_data_ptr<std::int64_t>();
    std::int64_t all_counted = 0, all_right = 0;
    for (std::int64_t c = 0; c < classes_; ++c, row += Column::columns) {
      all_counted += row[Column::counted];
      all_right += row[Column::right];
      const double accuracy = ratio(row[Column::hit], row[Column::wanted]);
      report.per_class.push_back({accuracy, static_cast<double>(row[Column::wanted])});
      if (std::isnan(accuracy)) continue;
      sum += accuracy;
      ++occurring;
    }
    report.values = {{"pixel accuracy", ratio(all_right, all_counted)},
                     {"mean accuracy", occurring == 0 ? std::numeric_limits<double>::quiet_NaN()
                                                      : sum / static_cast<double>(occurring)}};
    return report;
  }

  // int64 [classes, 4]: pixels counted, right ones, those of the class, those of them that were found.
  std::vector<at::Tensor> state() const override { return {counts_.clone()}; }

  void merge(const std::vector<at::Tensor>& state) override {
    if (state.size() != 1 || state.front().sizes() != counts_.sizes())
      throw sectile::PluginError("pixel_accuracy", "was given the state of another metric, or of other classes");
    counts_ += state.front().to(at::kCPU);
  }

 private:
  // Neighbours mostly agree: equal pairs are counted while they last, and checked once.
  void count(const sectile::Prediction& prediction, const at::Tensor& truth) {
    const auto labels = prediction.labels.cpu().to(at::kLong).contiguous();
    const auto* predicted = labels.const_data_ptr<std::int64_t>();
    const auto* numbers = truth.const_data_ptr<std::int64_t>();
    const auto total = truth.numel();
    for (std::int64_t i = 0; i < total;) {
      const auto number = numbers[i];
      const bool found = predicted[i] == number;
      const auto start = i;
      do ++i;
      while (i < total && numbers[i] == number && (predicted[i] == number) == found);
      if (number == sectile::kIgnore) continue;
      if (number < 0 || number >= classes_)
        throw sectile::DataError(prediction.id, "has the class number " + std::to_string(number) +
                                                    " in its truth, and there are " + std::to_string(classes_) +
                                                    " classes");
      auto* row = counts_.mutable_data_ptr<std::int64_t>() + number * Column::columns;
      row[Column::counted] += i - start;
      row[Column::wanted] += i - start;
      if (found) row[Column::right] += i - start, row[Column::hit] += i - start;
    }
  }

  void count_overlapping(const at::Tensor& prediction, const at::Tensor& truth) {
    const auto* predicted = prediction.const_data_ptr<bool>();
    const auto* labels = truth.const_data_ptr<float>();
    auto* row = counts_.mutable_data_ptr<std::int64_t>();
    const auto pixels = truth.numel() / classes_;
    for (std::int64_t c = 0; c < classes_; ++c, row += Column::columns)
      for (std::int64_t i = 0; i < pixels; ++i, ++labels, ++predicted) {
        if (*labels < 0) continue;
        const bool inside = *labels >= 0.5f;
        ++row[Column::counted];
        row[Column::right] += inside == *predicted;
        row[Column::wanted] += inside;
        row[Column::hit] += inside && *predicted;
      }
  }

  std::int64_t classes_;
  bool overlapping_;
  at::Tensor counts_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<PixelAccuracy>("pixel_accuracy",
                                                       "Share of right pixels, overall and as a mean over classes."))
