// Panoptic quality (Kirillov et al., CVPR 2019, arXiv:1801.00868), equal to panopticapi's pq_compute.
#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>

#include <sectile/context.h>
#include <sectile/data/panoptic_quality.h>
#include <sectile/error.h>
#include <sectile/metric.h>
#include <opencv2/core.hpp>

namespace {

using sectile::DataError;
using sectile::PanopticReport;

class PanopticQualityMetric final : public sectile::Metric {
 public:
  explicit PanopticQualityMetric(const sectile::BuildContext& context) : quality_(things(context)) {}

  sectile::Wanted wanted() const override { return {.segments = true}; }

  // A truth without a map of segments is not annotated.
  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    const auto& true_ids = truth.sample.segment_ids;
    if (true_ids.empty()) return;
    if (!prediction.segment_ids.defined())
      throw sectile::PluginError("panoptic_quality", "the prediction has no map of segments");
    const auto ids = prediction.segment_ids.to(at::kCPU, at::kInt).contiguous();
    std::vector<int> sizes;
    for (const auto size : ids.sizes()) sizes.push_back(static_cast<int>(size));
    // A view, which nothing writes to; cv::Mat has no pointer to const.
    const cv::Mat found_ids(static_cast<int>(sizes.size()), sizes.data(), CV_32S,
                            const_cast<std::int32_t*>(ids.const_data_ptr<std::int32_t>()));
    try {
      quality_.add(true_ids, truth.sample.segments, found_ids, prediction.segments);
    } catch (const DataError& error) {
      throw DataError(prediction.id, error.what());
    }
  }

  sectile::MetricReport compute() const override {
    const auto counted = quality_.compute();
    sectile::MetricReport report;
    const auto add = [&](const std::string& suffix, const PanopticReport::Mean& mean) {
      report.values.push_back({"PQ" + suffix, mean.pq});
      report.values.push_back({"SQ" + suffix, mean.sq});
      report.values.push_back({"RQ" + suffix, mean.rq});
    };
    add("", counted.all);
    add("_things", counted.things);
    add("_stuff", counted.stuff);
    report.columns = {"PQ", "SQ", "RQ", "TP", "FP", "FN"};
    for (const auto& one : counted.per_category)
      report.per_class.push_back({one.pq, one.sq, one.rq, static_cast<double>(one.true_positive),
                                  static_cast<double>(one.false_positive), static_cast<double>(one.false_negative)});
    report.convention =
        "Panoptic quality of Kirillov et al. 2019 by the rules of panopticapi: a true and a predicted segment of one "
        "class match if their IoU, without what is predicted on void, is above 0.5; crowds match nothing; unmatched "
        "predictions do not count if more than half of them lies on void and the crowd of their class. Per class SQ = "
        "mean IoU of matches, RQ = TP / (TP + FP/2 + FN/2), PQ = SQ x RQ; values are means over the classes with true "
        "or predicted segments.";
    return report;
  }

  std::vector<at::Tensor> state() const override { return {at::tensor(quality_.state(), at::kLong)}; }
  void merge(const std::vector<at::Tensor>& state) override {
    const auto numbers = state.at(0).to(at::kCPU, at::kLong).contiguous();
    quality_.merge_state({numbers.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(numbers.numel())});
  }

 private:
  static std::vector<bool> things(const sectile::BuildContext& context) {
    std::vector<bool> made(static_cast<std::size_t>(context.classes()));  // which demands that labels are known
    for (std::size_t c = 0; c < made.size(); ++c) made[c] = context.labels->classes[c].thing;
    return made;
  }

  sectile::PanopticQuality quality_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<PanopticQualityMetric>(
                            "panoptic_quality",
                            "Panoptic quality (PQ, SQ, RQ) of segments: over all classes, things and stuff."))
