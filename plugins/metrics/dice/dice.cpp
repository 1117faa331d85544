// Dice coefficient (F1 of pixels) per class and its mean, by the rules of several packages.
#include <sectile/region_metric.h>

namespace {

using sectile::RegionMetricOptions;

class DiceMetric final : public sectile::RegionMetric {
 public:
  DiceMetric(const RegionMetricOptions& options, const sectile::BuildContext& context)
      : RegionMetric({.type = "dice", .value = "Dice", .formula = "2 TP / (2 TP + FP + FN)"}, options, context) {}

 protected:
  double value(const Counts& of) const override { return ratio(2 * of.true_positive, of.truth() + of.predicted()); }
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::metric<DiceMetric, RegionMetricOptions>(
                            "dice", "Dice coefficient (F1 of pixels) per class and its mean (mDice)."))
