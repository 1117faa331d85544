// How the learning rate changes during training.
#pragma once

#include <cstdint>
#include <vector>

#include <sectile/component.h>

namespace sectile {

// Progress of a training run.
struct SchedulePoint {
  std::int64_t step = 0;              // 0 … total - 1; epochs instead of steps if the spec says "by": "epoch"
  std::int64_t total = 1;             // of the whole run
  std::vector<double> evaluations{};  // the best_metric value of each evaluation so far; may be NaN
  bool higher_is_better = true;       // of those values, as best.pth is chosen
};

// A pure function, so that a resumed run uses the same learning rates.
class SECTILE_EXPORT Schedule {
 public:
  virtual ~Schedule();

  // Factor of the learning rate; at least 0. The host adds the warmup that is common to all schedules
  // (Kind<Schedule>::Common).
  virtual double factor(const SchedulePoint& at) const = 0;

  virtual bool wants_evaluations() const { return false; }  // true: an error in a run without evaluations
};

template <class T, class OwnOptions = NoOptions>
constexpr Component schedule(const char* name, const char* summary) {
  return component<Schedule, T, OwnOptions>(name, summary);
}

}  // namespace sectile
