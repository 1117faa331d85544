// The 1cycle policy (Smith and Topin 2018, "Super-Convergence"): torch's OneCycleLR with max_lr = lr over the whole
// run. Only the learning rate is cycled: momentum is constant, as with torch's cycle_momentum=False.
#include <cmath>
#include <numbers>

#include <sectile/schedule.h>

namespace {

enum class Anneal { cos, linear };

struct OneCycleOptions {
  double pct_start = 0.3;
  double div_factor = 25;
  double final_div_factor = 1e4;
  Anneal anneal_strategy = Anneal::cos;
  bool three_phase = false;

  void declare(sectile::Options& options) {
    options.add("pct_start", &pct_start, "Fraction of the run in which the learning rate increases, 0 to 1.")
        .at_least(0)
        .at_most(1);
    options.add("div_factor", &div_factor, "Initial learning rate: lr / div_factor.").at_least(1);
    options.add("final_div_factor", &final_div_factor, "Final learning rate: the initial one / final_div_factor.")
        .at_least(1);
    options.add("anneal_strategy", &anneal_strategy, "Shape of the increase and decrease: cosine or linear.")
        .one_of({"cos", "linear"});
    options.add("three_phase", &three_phase,
                "Add a third phase: first decrease to the initial learning rate, then to the final one.");
  }
};

class OneCycle final : public sectile::Schedule {
 public:
  explicit OneCycle(const OneCycleOptions& options) : options_(options) {}

  double factor(const sectile::SchedulePoint& at) const override {
    const double step = static_cast<double>(at.step), total = static_cast<double>(at.total);
    const double first = 1 / options_.div_factor, last = first / options_.final_div_factor;
    // The steps at which phases end; may be fractional.
    const double top = options_.pct_start * total - 1, end = total - 1;
    if (step <= top) return between(first, 1, step, 0, top);
    if (!options_.three_phase) return between(1, last, step, top, end);
    const double down = 2 * options_.pct_start * total - 2;
    if (step <= down) return between(1, first, step, top, down);
    return between(first, last, step, down, end);
  }

 private:
  double between(double from, double to, double step, double start, double end) const {
    const double done = end > start ? (step - start) / (end - start) : 1;
    if (options_.anneal_strategy == Anneal::linear) return (to - from) * done + from;
    return to + (from - to) / 2 * (1 + std::cos(std::numbers::pi * done));
  }

  OneCycleOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<OneCycle, OneCycleOptions>(
                            "one_cycle", "Rises to the learning rate, then falls far below its start."))
