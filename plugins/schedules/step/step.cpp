// Decreases the learning rate by a factor at regular intervals: torch's StepLR.
#include <cmath>

#include <sectile/schedule.h>

namespace {

struct StepOptions {
  std::int64_t step_size = 1;
  double gamma = 0.1;

  void declare(sectile::Options& options) {
    options.add("step_size", &step_size, "Steps (or epochs, with by: epoch) between drops of the learning rate.")
        .at_least(1)
        .required();
    options.add("gamma", &gamma, "Factor applied to the learning rate at each drop.").at_least(0).at_most(1);
  }
};

class Step final : public sectile::Schedule {
 public:
  explicit Step(const StepOptions& options) : options_(options) {}
  double factor(const sectile::SchedulePoint& at) const override {
    return std::pow(options_.gamma, static_cast<double>(at.step / options_.step_size));
  }

 private:
  StepOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Step, StepOptions>("step", "Falls by a factor at regular intervals."))
