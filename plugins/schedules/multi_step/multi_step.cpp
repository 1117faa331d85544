// Decreases the learning rate by a factor at given steps: torch's MultiStepLR.
#include <algorithm>
#include <cmath>

#include <sectile/schedule.h>

namespace {

struct MultiStepOptions {
  std::vector<std::int64_t> milestones;
  double gamma = 0.1;

  void declare(sectile::Options& options) {
    options
        .add("milestones", &milestones,
             "Steps (or epochs, with by: epoch) at which the learning rate drops, from 0, in ascending order.")
        .at_least(0)
        .not_empty()
        .required();
    options.add("gamma", &gamma, "Factor applied to the learning rate at each drop.").at_least(0).at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (!std::is_sorted(milestones.begin(), milestones.end()))
      problems.add("milestones", "are not in ascending order: sort them");
  }
};

class MultiStep final : public sectile::Schedule {
 public:
  explicit MultiStep(const MultiStepOptions& options) : options_(options) {}
  double factor(const sectile::SchedulePoint& at) const override {
    const auto& all = options_.milestones;
    const auto passed = std::upper_bound(all.begin(), all.end(), at.step) - all.begin();
    return std::pow(options_.gamma, static_cast<double>(passed));
  }

 private:
  MultiStepOptions options_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::schedule<MultiStep, MultiStepOptions>("multi_step", "Falls by a factor at given steps."))
