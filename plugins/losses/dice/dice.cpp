// Soft Dice loss (Milletari et al. 2016, "V-Net"): the overlap of predicted and true areas, per class. Sums are over
// the whole batch of all ranks, or per sample as an option.
#include <ATen/TensorOperators.h>

#include <sectile/losses/region_loss.h>

namespace {

struct DiceOptions : sectile::RegionLossOptions {
  double smooth = 1.0;

  void declare(sectile::Options& options) {
    RegionLossOptions::declare(options);
    options
        .add("smooth", &smooth,
             "Smoothing term added to the numerator and denominator of 2 * overlap / (predicted + true), in pixels. "
             "Larger values reduce the influence of small and absent classes.")
        .at_least(0);
  }
};

class Dice final : public sectile::RegionLoss {
 public:
  Dice(const DiceOptions& options, const sectile::BuildContext& context)
      : RegionLoss(options, context), smooth_(options.smooth) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    const auto size = counts.predicted + counts.truth + smooth_;
    const auto nothing = size == 0;  // neither predicted nor true: a perfect match
    return 1 - (2 * counts.overlap + smooth_ + nothing) / (size + nothing);
  }

 private:
  double smooth_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Dice, DiceOptions>("dice", "Soft Dice over softmax or per-class sigmoid."))
