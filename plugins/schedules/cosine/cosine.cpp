// Half a cosine from the learning rate to a minimum (Loshchilov and Hutter 2017, "SGDR", without restarts): torch's
// CosineAnnealingLR over the whole run.
#include <cmath>
#include <numbers>

#include <sectile/schedule.h>

namespace {

struct CosineOptions {
  double min_factor = 0;
  void declare(sectile::Options& options) {
    options.add("min_factor", &min_factor, "Final factor of the learning rate (eta_min / lr in PyTorch).")
        .at_least(0)
        .at_most(1);
  }
};

class Cosine final : public sectile::Schedule {
 public:
  explicit Cosine(const CosineOptions& options) : least_(options.min_factor) {}
  double factor(const sectile::SchedulePoint& at) const override {
    const double done = static_cast<double>(at.step) / static_cast<double>(at.total);
    return least_ + (1 - least_) * (1 + std::cos(std::numbers::pi * done)) / 2;
  }

 private:
  double least_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::schedule<Cosine, CosineOptions>("cosine", "Falls along half a cosine over the whole run."))
