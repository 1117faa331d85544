// Throws what no one expects.
#include "plain.h"

namespace {
class Refusing final : public sectile::Schedule {
 public:
  Refusing() { throw 42; }
  double factor(const sectile::SchedulePoint&) const override { return 1; }
};
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Refusing>("constant", "Never changes."))
