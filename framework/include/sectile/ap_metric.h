// Average precision of predicted objects as a metric: what coco_ap and boundary_ap share.
#pragma once

#include <string>
#include <vector>

#include <sectile/context.h>
#include <sectile/data/average_precision.h>
#include <sectile/metric.h>
#include <sectile/options.h>

namespace sectile {

struct SECTILE_EXPORT ApSizeEntry {
  std::string name;
  double least = 0, most = 1e10;

  void declare(Options& options);
};

struct SECTILE_EXPORT ApMetricOptions {
  std::vector<double> iou_thresholds = ApOptions().iou_thresholds;
  std::vector<int> max_detections = {1, 10, 100};
  std::vector<ApSizeEntry> sizes;  // empty: COCO's

  void declare(Options& options);
  void check(Problems& problems) const;
  ApOptions options(ApKind kind) const;
};

class SECTILE_EXPORT ApMetric : public Metric {
 public:
  // name: the metric's type, for messages.
  ApMetric(std::string name, ApOptions options, const BuildContext& context);

  Wanted wanted() const final;
  // Objects of the truth without a stated area have that of their mask, or of their box where boxes are compared.
  // Throws DataError for an object without a mask where masks are compared, and for a class number out of range.
  void update(const Prediction& prediction, const Truth& truth) final;
  MetricReport compute() const final;
  std::vector<at::Tensor> state() const final;
  void merge(const std::vector<at::Tensor>& state) final;

 private:
  ApObject object(const Instance& instance, const Prediction& prediction, bool is_truth) const;

  const std::string name_;
  const ApOptions options_;
  std::vector<std::string> classes_;
  AveragePrecision counts_;
};

}  // namespace sectile
