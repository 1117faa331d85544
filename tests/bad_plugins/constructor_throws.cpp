// Can be loaded, and not be built.
#include "plain.h"

namespace {
class Refusing final : public sectile::Schedule {
 public:
  Refusing() { throw std::runtime_error("the table of factors is empty"); }
  double factor(const sectile::SchedulePoint&) const override { return 1; }
};
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Refusing>("constant", "Never changes."))
