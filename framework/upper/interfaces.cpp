// Key functions of the other kinds and of the roles: each interface has one vtable and one typeinfo, shared by all
// plugins.
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
MeanLoss::~MeanLoss() = default;
ReadsTargets::~ReadsTargets() = default;
OwnTargets::~OwnTargets() = default;

}  // namespace sectile
