// Metrics over instances, over panoptic segments and over a second head's output.
#include <ATen/ATen.h>

#include <sectile/metric.h>

namespace {

using at::Tensor;

double overlap(const cv::Mat& a, const cv::Mat& b) {
  std::int64_t both = 0, either = 0;
  for (int y = 0; y < a.rows; ++y)
    for (int x = 0; x < a.cols; ++x) {
      const bool p = a.at<std::uint8_t>(y, x), q = b.at<std::uint8_t>(y, x);
      both += p && q, either += p || q;
    }
  return either ? double(both) / double(either) : 0;
}

// The share of true objects that some prediction of their class covers by half. Its state has as many rows as objects,
// like the detections that average precision keeps.
class Recall final : public sectile::Metric {
 public:
  sectile::Wanted wanted() const override { return {.instances = true, .masks = true}; }
  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    for (const auto& object : truth.sample.instances) {
      double best = 0;
      for (const auto& candidate : prediction.instances)
        if (candidate.category == object.category)
          best = std::max(best, overlap(candidate.mask.bitmap(), object.mask.bitmap()));
      best_.push_back(best);
    }
  }
  sectile::MetricReport compute() const override {
    double found = 0;
    for (const double best : best_) found += best >= 0.5;
    return {.values = {{"recall50", found / double(best_.size())}, {"objects", double(best_.size())}},
            .convention = "masks, any score"};
  }
  std::vector<Tensor> state() const override { return {at::tensor(at::ArrayRef<double>(best_))}; }
  void merge(const std::vector<Tensor>& state) override {
    const auto* more = state.at(0).const_data_ptr<double>();
    best_.insert(best_.end(), more, more + state[0].numel());
  }

 private:
  std::vector<double> best_;
};

class PanopticQuality final : public sectile::Metric {
 public:
  sectile::Wanted wanted() const override { return {.segments = true}; }
  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    const auto& ids = truth.sample.segment_ids;
    const auto is = at::from_blob(ids.data, {ids.rows, ids.cols}, at::kInt);
    counts_[1] += double(prediction.segments.size()), counts_[2] += double(truth.sample.segments.size());
    for (const auto& theirs : prediction.segments)
      for (const auto& ours : truth.sample.segments) {
        if (theirs.category != ours.category) continue;
        const auto p = prediction.segment_ids == theirs.id, q = is == ours.id;
        const auto iou = p.logical_and(q).sum().item<double>() / p.logical_or(q).sum().item<double>();
        if (iou > 0.5) counts_[0] += 1, counts_[3] += iou;
      }
  }
  sectile::MetricReport compute() const override {
    const auto c = counts_.accessor<double, 1>();
    return {.values = {{"pq", 2 * c[3] / (c[1] + c[2])}}, .convention = "Kirillov et al.; all classes together"};
  }
  std::vector<Tensor> state() const override { return {counts_}; }
  void merge(const std::vector<Tensor>& state) override { counts_ = counts_ + state.at(0); }

 private:
  Tensor counts_ = at::zeros({4}, at::kDouble);  // matched, predicted, true, sum of overlaps
};

// Mean absolute difference of the output "edges" and the target of that name, in the file's size.
class EdgeError final : public sectile::Metric {
 public:
  sectile::Wanted wanted() const override {
    sectile::Wanted wanted;
    wanted.named = {"edges"};
    return wanted;
  }
  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    const auto difference = prediction.named.at("edges").sigmoid() - truth.targets.at("edges");
    counts_[0] += difference.abs().sum(at::kDouble).cpu(), counts_[1] += double(difference.numel());
  }
  sectile::MetricReport compute() const override {
    return {.values = {{"error", (counts_[0] / counts_[1]).item<double>(), sectile::MetricReport::Better::lower}},
            .convention = "all pixels alike"};
  }
  std::vector<Tensor> state() const override { return {counts_}; }
  void merge(const std::vector<Tensor>& state) override { counts_ = counts_ + state.at(0); }

 private:
  Tensor counts_ = at::zeros({2}, at::kDouble);  // sum of differences, pixels
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<Recall>("toy_recall", "Objects found."),
               sectile::metric<PanopticQuality>("toy_pq", "Panoptic quality."),
               sectile::metric<EdgeError>("toy_edge_error", "How far predicted edges are off."))
