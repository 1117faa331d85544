// What most of the wrong libraries have in common: a schedule without options.
#pragma once

#include <sectile/schedule.h>

namespace {

class Constant final : public sectile::Schedule {
 public:
  double factor(const sectile::SchedulePoint&) const override { return 1; }
};

}  // namespace
