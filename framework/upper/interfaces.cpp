// The key functions of the upper floor: one vtable and one typeinfo of each interface, whatever plugin casts.
#include <sectile/backbone.h>
#include <sectile/loss.h>
#include <sectile/metric.h>
#include <sectile/model.h>
#include <sectile/optimizer.h>
#include <sectile/roles.h>

namespace sectile {

Model::~Model() = default;
Backbone::~Backbone() = default;
Loss::~Loss() = default;
Metric::~Metric() = default;
Optimizer::~Optimizer() = default;
InferenceForm::~InferenceForm() = default;
WeightRules::~WeightRules() = default;
Ranks::~Ranks() = default;
AcrossRanks::~AcrossRanks() = default;
OwnTargets::~OwnTargets() = default;

}  // namespace sectile
