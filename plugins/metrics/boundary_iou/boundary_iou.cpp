// Boundary IoU (Cheng et al. 2021, arXiv:2103.16562) of classes, by the boundaries of boundary_iou_api.
#include <limits>

#include <sectile/data/boundary.h>
#include <sectile/error.h>
#include <sectile/surface_metric.h>

namespace {

using sectile::MetricReport;

struct BoundaryIouOptions : sectile::ClassSelection {
  double dilation_ratio = 0.02;

  void declare(sectile::Options& options) {
    options
        .add("dilation_ratio", &dilation_ratio,
             "Width of the boundary, as a share of the image's diagonal, rounded to pixels; smaller is stricter. At "
             "least one pixel.")
        .at_least(0.001)
        .at_most(0.5);
    ClassSelection::declare(options);
  }
};

class BoundaryIou final : public sectile::SurfaceMetric {
 public:
  BoundaryIou(const BoundaryIouOptions& options, const sectile::BuildContext& context)
      : SurfaceMetric("boundary_iou", kSums, options, {}, context), dilation_ratio_(options.dilation_ratio) {
    if (context.dimensions != 2)
      throw sectile::PluginError("boundary_iou",
                                 "compares images, and the data are volumes; surface_dice compares volumes");
  }

  MetricReport compute() const override {
    MetricReport report;
    report.columns = {"boundary IoU", "boundary pixels"};
    std::vector<double> ious;
    for (std::size_t c = 0; c < classes(); ++c) {
      const double common = sum(c, kCommon).sum(), united = sum(c, kUnited).sum();
      ious.push_back(united > 0 ? common / united : std::numeric_limits<double>::quiet_NaN());
      report.per_class.push_back({ious.back(), united});
    }
    report.values = {{"boundary mIoU", mean(ious)}};
    report.convention =
        "IoU of the boundaries of truth and prediction, over all images: per class, the pixels common to both "
        "boundaries by those in either one; the mean over classes that have one. The boundary of a mask is its pixels "
        "that are at most d pixels from one outside it, along both axes; beyond the border of the image is outside. d "
        "is " +
        std::to_string(dilation_ratio_) +
        " of the image's diagonal, rounded, at least 1 (Cheng et al. 2021). Ignored pixels leave both masks first, so "
        "that their border is a boundary.";
    return report;
  }

 private:
  enum Sum { kCommon, kUnited, kSums };

  void add(const sectile::MaskPair& masks, std::span<sectile::ExactSum> sums) const override {
    if (masks.truth.dims != 2)
      throw sectile::DataError("boundary_iou", "compares images of H x W, and was given a volume");
    const int width = sectile::boundary_width(dilation_ratio_, {masks.image.width, masks.image.height});
    const auto overlap = sectile::boundary_overlap(masks.truth, masks.prediction, width);
    sums[kCommon].add(static_cast<double>(overlap.common)), sums[kUnited].add(static_cast<double>(overlap.united));
  }

  double dilation_ratio_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<BoundaryIou, BoundaryIouOptions>(
                            "boundary_iou", "IoU of the boundaries of classes instead of their areas."))
