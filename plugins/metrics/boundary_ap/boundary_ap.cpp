// Boundary AP (Cheng et al. 2021, arXiv:2103.16562): AP where the overlap of two masks is the smaller one of their IoU
// and that of their boundaries; equal to boundary_iou_api.
#include <sectile/ap_metric.h>

namespace {

struct BoundaryApOptions : sectile::ApMetricOptions {
  double dilation_ratio = 0.02;

  void declare(sectile::Options& options) {
    options
        .add("dilation_ratio", &dilation_ratio,
             "Width of the boundary, as a share of the image's diagonal; smaller is stricter. At least one pixel.")
        .at_least(0.001)
        .at_most(0.5);
    ApMetricOptions::declare(options);
  }
  sectile::ApOptions all() const {
    auto made = options(sectile::ApKind::boundary);
    made.boundary_width = dilation_ratio;
    return made;
  }
};

class BoundaryAp final : public sectile::ApMetric {
 public:
  BoundaryAp(const BoundaryApOptions& options, const sectile::BuildContext& context)
      : ApMetric("boundary_ap", options.all(), context) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::metric<BoundaryAp, BoundaryApOptions>(
                   "boundary_ap", "Average precision of predicted objects that also compares their boundaries."))
