// Tversky loss (Salehi et al. 2017, arXiv:1706.05721): Dice with weights of false positives and false negatives.
// "focal_tversky" (Abraham & Khan 2018, arXiv:1810.07842) raises each class's loss to the power 1 / gamma.
#include <ATen/TensorOperators.h>

#include <sectile/losses/region_loss.h>

namespace {

struct TverskyOptions : sectile::RegionLossOptions {
  double alpha = 0.5, beta = 0.5, smooth = 0, eps = 1e-7;

  void declare(sectile::Options& options) {
    RegionLossOptions::declare(options);
    options
        .add("alpha", &alpha,
             "Weight of false positives. With beta, 0.5 each is Dice, 1 each is Jaccard. Not both are 0.")
        .at_least(0);
    options.add("beta", &beta, "Weight of false negatives; larger values favor finding small classes.").at_least(0);
    options.add("smooth", &smooth, "Added to the overlap and to the weighted areas, in pixels.").at_least(0);
    options.add("eps", &eps, "The weighted areas are at least this, in pixels.").at_least(1e-12);
  }
  void check(sectile::Problems& problems) const {
    if (alpha == 0 && beta == 0)
      problems.add("alpha",
                   "is 0, and so is beta: no mistake would count, and nothing would be learned; expected at least "
                   "one of them above 0");
  }
};

struct FocalTverskyOptions : TverskyOptions {
  FocalTverskyOptions() { alpha = 0.3, beta = 0.7, smooth = 1; }
  double gamma = 4. / 3;

  void declare(sectile::Options& options) {
    TverskyOptions::declare(options);
    options
        .add("gamma", &gamma,
             "A class's loss, 0 to 1, is raised to the power 1 / gamma; the default, 4 / 3, is the paper's. Above 1, "
             "the gradients of classes whose loss is small grow; below 1, classes whose loss is large weigh more.")
        .at_least(0.1);
  }
};

class Tversky : public sectile::RegionLoss {
 public:
  Tversky(const TverskyOptions& options, const sectile::BuildContext& context)
      : RegionLoss(options, context), of_(options) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    const auto whole = counts.overlap + of_.alpha * counts.false_positive() + of_.beta * counts.false_negative();
    const auto index = (counts.overlap + of_.smooth) / (whole + of_.smooth).clamp_min(of_.eps);
    return (1 - index).masked_fill(counts.pixels == 0, 0);  // every pixel is ignored: a perfect match
  }

 private:
  TverskyOptions of_;
};

class FocalTversky final : public Tversky {
 public:
  FocalTversky(const FocalTverskyOptions& options, const sectile::BuildContext& context)
      : Tversky(options, context), power_(1 / options.gamma) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    return Tversky::per_class(counts).clamp_min(1e-12).pow(power_);  // a finite gradient at 0
  }

 private:
  double power_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::loss<Tversky, TverskyOptions>("tversky", "Dice with weights of false positives and negatives."),
               sectile::loss<FocalTversky, FocalTverskyOptions>("focal_tversky",
                                                                "Tversky loss of each class, raised to a power."))
