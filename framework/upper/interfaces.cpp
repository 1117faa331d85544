// The key functions of the other kinds and of the roles: one vtable and one typeinfo of each interface, whatever plugin
// casts.
#include <sectile/backbone.h>
#include <sectile/metric.h>
#include <sectile/optimizer.h>
#include <sectile/roles.h>

namespace sectile {

Backbone::~Backbone() = default;
Metric::~Metric() = default;
Optimizer::~Optimizer() = default;
InferenceForm::~InferenceForm() = default;
WeightRules::~WeightRules() = default;
Ranks::~Ranks() = default;
AcrossRanks::~AcrossRanks() = default;
OwnTargets::~OwnTargets() = default;

}  // namespace sectile
