// Needs a library that is not where the loader looks.
#include "plain.h"

extern "C" int sectile_answer();

namespace {
class Lost final : public sectile::Schedule {
 public:
  double factor(const sectile::SchedulePoint&) const override { return sectile_answer(); }
};
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Lost>("constant", "Never changes."))
