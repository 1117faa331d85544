// How the learning rate changes during training.
#pragma once

#include <cstdint>
#include <vector>

#include <sectile/component.h>

namespace sectile {

// Where a training run stands.
struct SchedulePoint {
  std::int64_t step = 0;              // 0 … total - 1; epochs instead of steps where the spec says "by": "epoch"
  std::int64_t total = 1;             // of the whole run
  std::vector<double> evaluations{};  // the value that best.pth is chosen by, of each evaluation so far; may be NaN
};

// A pure function, so that a resumed run has the same learning rate as an unbroken one.
class SECTILE_EXPORT Schedule {
 public:
  virtual ~Schedule();

  // What the learning rate is multiplied with; at least 0. The host adds the warm-up that all schedules have in common
  // (Kind<Schedule>::Common).
  virtual double factor(const SchedulePoint& at) const = 0;

  virtual bool wants_evaluations() const { return false; }  // true: refused in a run that has none
};

template <class T, class OwnOptions = NoOptions>
constexpr Component schedule(const char* name, const char* summary) {
  return component<Schedule, T, OwnOptions>(name, summary);
}

}  // namespace sectile
