// Boundary F1 (BF score) of Csurka et al. 2013 ("What is a good evaluation measure for semantic segmentation?").
#include <algorithm>
#include <cmath>

#include <sectile/surface_metric.h>

namespace {

using sectile::MetricReport;

struct BoundaryF1Options : sectile::ClassSelection {
  double tolerance = 0.0075;

  void declare(sectile::Options& options) {
    options
        .add("tolerance", &tolerance,
             "A boundary pixel is right up to this distance from the other boundary, as a share of the image's "
             "diagonal. 0: only equal pixels.")
        .at_least(0)
        .at_most(1);
    ClassSelection::declare(options);
  }
};

class BoundaryF1 final : public sectile::SurfaceMetric {
 public:
  BoundaryF1(const BoundaryF1Options& options, const sectile::BuildContext& context)
      : SurfaceMetric("boundary_f1", kSums, options, {}, context), tolerance_(options.tolerance) {}

  MetricReport compute() const override {
    MetricReport report;
    report.columns = {"boundary F1", "precision", "recall", "images"};
    std::vector<double> all, precisions, recalls;
    for (std::size_t c = 0; c < classes(); ++c) {
      all.push_back(sum(c, kF1).mean());
      precisions.push_back(sum(c, kPrecision).mean());
      recalls.push_back(sum(c, kRecall).mean());
      report.per_class.push_back(
          {all.back(), precisions.back(), recalls.back(), static_cast<double>(sum(c, kF1).finite())});
    }
    report.values = {{"boundary F1", mean(all)}, {"precision", mean(precisions)}, {"recall", mean(recalls)}};
    report.convention =
        "Per image and class of its truth: precision is the share of the prediction's boundary pixels that are at most "
        "the tolerance from the truth's boundary, recall the share of the truth's that are so close to the "
        "prediction's, F1 = 2 P R / (P + R); then the mean over the images whose truth has the class, then over "
        "classes (BF score; Csurka et al. 2013). All three are 0 where the prediction lacks the class. The tolerance "
        "is " +
        std::to_string(tolerance_) +
        " of the diagonal in pixels, not rounded; distances are Euclidean. The boundary is the pixels of a mask with "
        "a 4-neighbour (6 in volumes) outside it; beyond the border of the image is outside. Ignored pixels leave both "
        "masks first.";
    return report;
  }

 private:
  enum Sum { kF1, kPrecision, kRecall, kSums };

  void add(const sectile::MaskPair& masks, std::span<sectile::ExactSum> sums) const override {
    if (!masks.in_truth) return;
    double precision = 0, recall = 0;
    if (masks.in_prediction) {
      const bool volume = masks.truth.dims == 3;
      const double depth = volume ? masks.image.depth : 0, height = masks.image.height, width = masks.image.width;
      const double most = tolerance_ * std::sqrt(depth * depth + height * height + width * width) * (1 + 1e-12);
      const auto distances = surface_distances(masks, {1, 1, 1});
      const auto share = [&](const std::vector<double>& all) {
        const auto right = std::count_if(all.begin(), all.end(), [&](double one) { return one <= most; });
        return static_cast<double>(right) / static_cast<double>(all.size());
      };
      precision = share(distances.of_prediction), recall = share(distances.of_truth);
    }
    sums[kPrecision].add(precision), sums[kRecall].add(recall);
    sums[kF1].add(precision + recall > 0 ? 2 * precision * recall / (precision + recall) : 0);
  }

  double tolerance_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<BoundaryF1, BoundaryF1Options>(
                            "boundary_f1", "F1 of boundary pixels that lie within a tolerance (BF score)."))
