// COCO's average precision (https://cocodataset.org/#detection-eval), equal to pycocotools 2.0.
#include <sectile/ap_metric.h>

namespace {

struct CocoApOptions : sectile::ApMetricOptions {
  std::string iou_type = "segm";

  void declare(sectile::Options& options) {
    options.add("iou_type", &iou_type, "What overlaps are computed of: masks (segm) or boxes (bbox).")
        .one_of({"segm", "bbox"});
    ApMetricOptions::declare(options);
  }
};

class CocoAp final : public sectile::ApMetric {
 public:
  CocoAp(const CocoApOptions& options, const sectile::BuildContext& context)
      : ApMetric("coco_ap", options.options(options.iou_type == "bbox" ? sectile::ApKind::box : sectile::ApKind::mask),
                 context) {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<CocoAp, CocoApOptions>(
                            "coco_ap", "COCO's average precision and recall of predicted objects, by mask or box."))
