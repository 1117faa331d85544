// Calls a function that no library defines.
#include "plain.h"

extern "C" double sectile_nowhere();

namespace {
class Lost final : public sectile::Schedule {
 public:
  double factor(const sectile::SchedulePoint&) const override { return sectile_nowhere(); }
};
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Lost>("constant", "Never changes."))
