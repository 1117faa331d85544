// How the learning rate changes during training.
#pragma once

#include <cstdint>

#include <sectile/component.h>

namespace sectile {

// A pure function, so that a resumed run has the same learning rate as an unbroken one.
class SECTILE_EXPORT Schedule {
 public:
  virtual ~Schedule();

  // What the learning rate is multiplied with in step 0 … total - 1. The host adds the warm-up that all schedules have
  // in common: over the first `warmup` steps it multiplies with (step + 1) / (warmup + 1) once more.
  virtual double factor(std::int64_t step, std::int64_t total) const = 0;
};

template <class T, class OwnOptions = NoOptions>
constexpr Component schedule(const char* name, const char* summary) {
  return component<Schedule, T, OwnOptions>(name, summary);
}

}  // namespace sectile
