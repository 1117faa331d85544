// Constant learning rate.
#include <sectile/schedule.h>

namespace {

class Constant final : public sectile::Schedule {
 public:
  double factor(const sectile::SchedulePoint&) const override { return 1; }
};

}  // namespace

SECTILE_PLUGIN("1.1.0", sectile::schedule<Constant>("constant", "Keeps the learning rate as it is."))
