// One of several transforms, as albumentations' OneOf. There, the probabilities of the transforms are the weights, and
// the chosen one is applied without chance; here, weights are an option, and each keeps its probability.
#include <cstddef>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <sectile/transforms/nested.h>

namespace {

struct OneOfOptions {
  std::vector<sectile::Ref<sectile::Transform>> transforms;
  std::vector<double> weights;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("transforms", &transforms,
             "Transforms of which one is chosen. It is applied by its own probability as well: set that to 1 where "
             "the chosen one must have an effect.")
        .required()
        .not_empty();
    options
        .add("weights", &weights,
             "How often each is chosen, relative to the others: one number per transform. Default: all alike.")
        .at_least(0);
    options.add("probability", &probability, "Probability of choosing one. Otherwise none is applied.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (weights.empty()) return;
    if (weights.size() != transforms.size())
      problems.add("weights", "has " + std::to_string(weights.size()) + " numbers; expected " +
                                  std::to_string(transforms.size()) + ", one per transform");
    else if (!(std::accumulate(weights.begin(), weights.end(), 0.0) > 0))
      problems.add("weights", "are all 0, so that none can be chosen; expected at least one above 0");
  }
};

class OneOf final : public sectile::Transform, public sectile::HasEffects {
 public:
  OneOf(const OneOfOptions& options, const sectile::BuildContext& context)
      : transforms_(sectile::build_all(options.transforms, context)), probability_(options.probability) {
    double sum = 0;
    for (std::size_t i = 0; i < transforms_.size(); ++i) {
      sum += options.weights.empty() ? 1 : options.weights[i];
      ends_.push_back(sum);
    }
  }

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(probability_)) return;
    const double at = draw.random.uniform(0, ends_.back());
    std::size_t chosen = 0;
    while (chosen + 1 < ends_.size() && at >= ends_[chosen]) ++chosen;
    auto own = draw.child(chosen);
    transforms_[chosen]->apply(sample, own);
  }

  sectile::Effects effects() const override {
    const auto own = sectile::effects_of(transforms_, "/transforms");
    return probability_ < 1 || transforms_.size() > 1 ? own.by_chance() : own;
  }

 private:
  std::vector<std::shared_ptr<sectile::Transform>> transforms_;
  std::vector<double> ends_;  // of the parts of [0, sum of weights) that belong to the transforms
  double probability_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<OneOf, OneOfOptions>("one_of", "One of several transforms, chosen by chance."))
