// One minus Matthews' correlation coefficient of soft counts (Abhishek & Hamarneh 2021, arXiv:2010.13454);
// segmentation_models_pytorch's MCCLoss.
#include <ATen/TensorOperators.h>

#include <sectile/losses/region_loss.h>

namespace {

struct MccOptions : sectile::RegionLossOptions {
  double eps = 1e-5;

  void declare(sectile::Options& options) {
    RegionLossOptions::declare(options);
    options.add("eps", &eps, "Added to each of the four counts (true and false, positive and negative), in pixels.")
        .at_least(1e-12);
  }
};

class Mcc final : public sectile::RegionLoss {
 public:
  Mcc(const MccOptions& options, const sectile::BuildContext& context)
      : RegionLoss(options, context), eps_(options.eps) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    const auto tp = counts.overlap + eps_, fp = counts.false_positive() + eps_, fn = counts.false_negative() + eps_,
               tn = counts.pixels - counts.predicted - counts.truth + counts.overlap + eps_;
    const auto size = ((tp + fp) * (tp + fn) * (tn + fp) * (tn + fn)).sqrt();
    return (1 - (tp * tn - fp * fn) / size).masked_fill(counts.pixels == 0, 0);
  }

 private:
  double eps_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Mcc, MccOptions>(
                            "mcc", "One minus Matthews' correlation coefficient, over softmax or per-class sigmoid."))
