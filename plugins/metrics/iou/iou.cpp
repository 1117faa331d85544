// Intersection over union per class and its mean, from one confusion matrix over all pictures.
#include <cmath>
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <sectile/metric.h>

namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? kUndefined : static_cast<double>(part) / static_cast<double>(whole);
}

class Iou final : public sectile::Metric {
 public:
  explicit Iou(const sectile::BuildContext& context)
      : classes_(context.classes()), overlapping_(context.labels->overlapping) {
    counts_ = overlapping_ ? at::zeros({classes_, 2, 2}, at::kLong) : at::zeros({classes_, classes_}, at::kLong);
  }

  sectile::Wanted wanted() const override { return {.labels = true, .overlapping = overlapping_}; }

  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    if (!truth.labels.defined()) return;
    if (!prediction.labels.defined()) throw sectile::PluginError("iou", "the prediction has no labels");
    if (truth.labels.is_floating_point() != overlapping_ || prediction.labels.sizes() != truth.labels.sizes())
      throw sectile::DataError(prediction.id, "prediction and truth do not fit: " + described(prediction.labels) +
                                                  " and " + described(truth.labels));
    if (overlapping_)
      count_overlapping(prediction.labels.cpu().to(at::kBool).contiguous(),
                        truth.labels.cpu().to(at::kFloat).contiguous());
    else
      count(prediction, truth.labels.cpu().to(at::kLong).contiguous());
  }

  sectile::MetricReport compute() const override {
    sectile::MetricReport report;
    report.columns = {"IoU", "accuracy", "precision", "pixels"};
    report.convention =
        "IoU = TP / (TP + FP + FN) per class, from one confusion matrix over all pixels of all pictures; mIoU: mean "
        "over "
        "the classes that occur in truth or prediction. Accuracy = TP / (TP + FN), precision = TP / (TP + FP). Pixels "
        "ignored in the truth do not count.";
    double sum = 0;
    std::int64_t occurring = 0;
    for (std::int64_t c = 0; c < classes_; ++c) {
      const auto hit = (overlapping_ ? counts_[c][1][1] : counts_[c][c]).item<std::int64_t>();
      const auto wanted = (overlapping_ ? counts_[c][1] : counts_[c]).sum().item<std::int64_t>();
      const auto predicted =
          (overlapping_ ? counts_.select(0, c).select(1, 1) : counts_.select(1, c)).sum().item<std::int64_t>();
      const double iou = ratio(hit, wanted + predicted - hit);
      report.per_class.push_back({iou, ratio(hit, wanted), ratio(hit, predicted), static_cast<double>(wanted)});
      if (std::isnan(iou)) continue;
      sum += iou;
      ++occurring;
    }
    report.values = {{"mIoU", occurring == 0 ? kUndefined : sum / static_cast<double>(occurring)}};
    return report;
  }

  // int64 [classes, classes] of (truth, prediction); where classes overlap [classes, 2, 2], each class by itself.
  std::vector<at::Tensor> state() const override { return {counts_.clone()}; }

  void merge(const std::vector<at::Tensor>& state) override {
    if (state.size() != 1 || state.front().sizes() != counts_.sizes())
      throw sectile::PluginError("iou", "was given the state of another metric, or of other classes");
    counts_ += state.front().to(at::kCPU);
  }

 private:
  static std::string described(const at::Tensor& labels) {
    std::string text =
        labels.is_floating_point() || labels.scalar_type() == at::kBool ? "labels per class of" : "class numbers of";
    for (const auto size : labels.sizes()) text += " " + std::to_string(size);
    return text;
  }

  // Neighbours mostly agree: equal pairs are counted while they last, and checked once.
  void count(const sectile::Prediction& prediction, const at::Tensor& truth) {
    const auto labels = prediction.labels.cpu().to(at::kLong).contiguous();
    const auto* predicted = labels.const_data_ptr<std::int64_t>();
    const auto* wanted = truth.const_data_ptr<std::int64_t>();
    auto* counts = counts_.mutable_data_ptr<std::int64_t>();
    const auto total = truth.numel();
    for (std::int64_t i = 0; i < total;) {
      const auto t = wanted[i], p = predicted[i];
      const auto start = i;
      do ++i;
      while (i < total && wanted[i] == t && predicted[i] == p);
      if (t == sectile::kIgnore) continue;
      if (t < 0 || t >= classes_ || p < 0 || p >= classes_)
        throw sectile::DataError(prediction.id, "has a class number outside 0.." + std::to_string(classes_ - 1) +
                                                    ": truth " + std::to_string(t) + ", prediction " +
                                                    std::to_string(p));
      counts[t * classes_ + p] += i - start;
    }
  }

  void count_overlapping(const at::Tensor& prediction, const at::Tensor& truth) {
    const auto* predicted = prediction.const_data_ptr<bool>();
    const auto* wanted = truth.const_data_ptr<float>();
    auto* counts = counts_.mutable_data_ptr<std::int64_t>();
    const auto pixels = truth.numel() / classes_;
    for (std::int64_t c = 0; c < classes_; ++c, counts += 4)
      for (std::int64_t i = 0; i < pixels; ++i, ++wanted, ++predicted)
        if (*wanted >= 0) ++counts[(*wanted >= 0.5f) * 2 + *predicted];
  }

  std::int64_t classes_;
  bool overlapping_;
  at::Tensor counts_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<Iou>("iou", "Intersection over union per class and its mean (mIoU)."))
