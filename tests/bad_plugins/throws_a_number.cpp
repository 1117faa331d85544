// Throws what no one expects.
#include "plain.h"

namespace {
class Refusing final : public sectile::Schedule {
 public:
  Refusing() { throw 42; }
  double factor(std::int64_t, std::int64_t) const override { return 1; }
};
}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::schedule<Refusing>("constant", "Never changes."))
