// Decreases the learning rate to zero with a power of the remaining steps.
#include <cmath>

#include <sectile/schedule.h>

namespace {

struct PolyOptions {
  double power = 0.9;
  void declare(sectile::Options& options) {
    options.add("power", &power, "Power p of the factor (1 - step / total)^p; 1 is linear.").at_least(0);
  }
};

class Poly final : public sectile::Schedule {
 public:
  explicit Poly(const PolyOptions& options) : power_(options.power) {}
  double factor(const sectile::SchedulePoint& at) const override {
    return std::pow(1 - static_cast<double>(at.step) / static_cast<double>(at.total), power_);
  }

 private:
  double power_;
};

}  // namespace

SECTILE_PLUGIN("1.1.0", sectile::schedule<Poly, PolyOptions>("poly", "Falls to zero as a power of the steps left."))
