// Decreases the learning rate when evaluations stop improving: torch's ReduceLROnPlateau with eps = 0, computed from
// all evaluations so far. A NaN value is never an improvement.
#include <algorithm>
#include <limits>
#include <optional>

#include <sectile/schedule.h>

namespace {

enum class Mode { max, min };
enum class ThresholdMode { rel, abs };

struct PlateauOptions {
  std::optional<Mode> mode;
  double factor = 0.1;
  std::int64_t patience = 10;
  double threshold = 1e-4;
  ThresholdMode threshold_mode = ThresholdMode::rel;
  std::int64_t cooldown = 0;
  double min_factor = 0;

  void declare(sectile::Options& options) {
    options
        .add("mode", &mode,
             "Whether higher (max) or lower (min) evaluation values are better. Default: as for best.pth (best_is).")
        .one_of({"max", "min"});
    options.add("factor", &factor, "Factor applied to the learning rate at each drop; below 1.").at_least(0).at_most(1);
    options.add("patience", &patience, "Evaluations without improvement before the learning rate drops.").at_least(0);
    options.add("threshold", &threshold, "Minimum change that counts as an improvement.").at_least(0);
    options
        .add("threshold_mode", &threshold_mode,
             "Whether threshold is relative to the best value (rel) or absolute (abs).")
        .one_of({"rel", "abs"});
    options.add("cooldown", &cooldown, "Evaluations to wait after a drop before counting patience again.").at_least(0);
    options.add("min_factor", &min_factor, "Lower bound of the factor (min_lr / lr in PyTorch).")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (factor == 1) problems.add("factor", "is 1, which would never lower anything: below 1");
  }
};

class Plateau final : public sectile::Schedule {
 public:
  explicit Plateau(const PlateauOptions& options) : options_(options) {}

  bool wants_evaluations() const override { return true; }
  double factor(const sectile::SchedulePoint& at) const override {
    constexpr double kFar = std::numeric_limits<double>::infinity();
    const bool higher = options_.mode ? *options_.mode == Mode::max : at.higher_is_better;
    double factor = 1, best = higher ? -kFar : kFar;
    std::int64_t bad = 0, cooling = 0;
    for (const double value : at.evaluations) {
      if (better(value, best, higher))
        best = value, bad = 0;
      else
        ++bad;
      if (cooling > 0) --cooling, bad = 0;
      if (bad <= options_.patience) continue;
      factor = std::max(factor * options_.factor, options_.min_factor);
      cooling = options_.cooldown, bad = 0;
    }
    return factor;
  }

 private:
  bool better(double value, double best, bool higher) const {
    const double by = higher ? options_.threshold : -options_.threshold;
    const double limit = options_.threshold_mode == ThresholdMode::rel ? best * (1 + by) : best + by;
    return higher ? value > limit : value < limit;
  }

  PlateauOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::schedule<Plateau, PlateauOptions>("plateau", "Falls when evaluations no longer get better."))
