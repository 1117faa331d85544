// Confusion matrix of pixels over all images, for IoU, accuracy and similar metrics. They implement only compute().
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/metric.h>

namespace sectile {

class SECTILE_EXPORT ConfusionMetric : public Metric {
 public:
  // name: the metric's type, for messages.
  ConfusionMetric(std::string name, const BuildContext& context);

  Wanted wanted() const final;
  // Pixels that are kIgnore in the truth do not count. Throws DataError for a class number out of range, and if
  // prediction and truth differ in size.
  void update(const Prediction& prediction, const Truth& truth) override;
  std::vector<at::Tensor> state() const override;
  void merge(const std::vector<at::Tensor>& state) override;

 protected:
  struct Counts {
    std::int64_t true_positive = 0, false_positive = 0, false_negative = 0, true_negative = 0;
    std::int64_t truth() const { return true_positive + false_negative; }
    std::int64_t predicted() const { return true_positive + false_positive; }
    std::int64_t all() const { return truth() + false_positive + true_negative; }
  };
  std::vector<Counts> per_class() const;                          // each class against all others
  std::vector<Counts> per_class(const at::Tensor& matrix) const;  // of a matrix like matrix()

  // int64 [classes, classes] of (truth, prediction); if classes overlap [classes, 2, 2], one matrix per class.
  const at::Tensor& matrix() const { return counts_; }
  bool overlapping() const { return overlapping_; }
  const std::vector<std::string>& class_names() const { return classes_; }
  MetricReport::Table table() const;  // the matrix with class names; empty if classes overlap

  static double ratio(std::int64_t part, std::int64_t whole);  // NaN if whole is 0
  static double mean(const std::vector<double>& of_classes);   // of those that are not NaN; NaN if there are none

 private:
  const std::string name_;
  std::vector<std::string> classes_;
  const bool overlapping_;
  at::Tensor counts_;
};

}  // namespace sectile
