// Some of several transforms, as albumentations' SomeOf.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include <sectile/transforms/nested.h>

namespace {

using Numbers = std::vector<std::size_t>;

struct SomeOfOptions {
  std::vector<sectile::Ref<sectile::Transform>> transforms;
  std::vector<int> n = {1};
  bool replace = false;
  double probability = 1;

  void declare(sectile::Options& options) {
    options
        .add("transforms", &transforms,
             "Transforms of which some are chosen, all with the same chance. The chosen ones are applied in the order "
             "of this list, each by its own probability as well.")
        .required()
        .not_empty();
    options.add("n", &n, "How many are chosen: a number, or [min, max], of which every number is equally likely.")
        .at_least(0)
        .at_most(1000)
        .also_single()
        .not_empty();
    options.add("replace", &replace,
                "Whether a transform may be chosen several times. Without, n is at most the number of transforms.");
    options.add("probability", &probability, "Probability of choosing at all. Otherwise none is applied.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (n.size() > 2) {
      problems.add("n", "has " + std::to_string(n.size()) + " numbers; expected one, or [min, max]");
      return;
    }
    if (n.front() > n.back()) problems.add("n", "the minimum is greater than the maximum");
    const auto all = static_cast<int>(transforms.size());
    if (!replace && n.back() > all)
      problems.add("n", "is " + std::to_string(n.back()) + ", and there are " + std::to_string(all) +
                            " transforms: expected at most that many without \"replace\"");
  }
};

class SomeOf final : public sectile::Transform, public sectile::HasEffects {
 public:
  SomeOf(const SomeOfOptions& options, const sectile::BuildContext& context)
      : transforms_(sectile::build_all(options.transforms, context)),
        least_(options.n.front()),
        most_(options.n.back()),
        replace_(options.replace),
        probability_(options.probability) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (!draw.random.chance(probability_)) return;
    const auto chosen = choose(draw.random);
    apply_first(chosen.size(), chosen, sample, draw);
  }

  sectile::Effects effects() const override {
    const auto own = sectile::effects_of(transforms_, "/transforms");
    const bool all = !replace_ && least_ == static_cast<std::int64_t>(transforms_.size());
    return probability_ < 1 || !all ? own.by_chance() : own;
  }

 private:
  Numbers choose(sectile::Random& random) const {
    const auto count = static_cast<std::size_t>(least_ + random.below(most_ - least_ + 1));
    Numbers chosen(replace_ ? count : transforms_.size());
    if (replace_) {
      for (auto& number : chosen)
        number = static_cast<std::size_t>(random.below(static_cast<std::int64_t>(transforms_.size())));
    } else {
      std::iota(chosen.begin(), chosen.end(), std::size_t{0});
      random.shuffle(chosen);
      chosen.resize(count);
    }
    std::sort(chosen.begin(), chosen.end());
    return chosen;
  }

  // A sample that one of them mixes in has been through the chosen ones before it, like `sample`.
  void apply_first(std::size_t count, const Numbers& chosen, sectile::Sample& sample, sectile::Draw& draw) const {
    for (std::size_t i = 0; i < count; ++i) {
      auto own = draw.child(chosen[i], [this, i, &chosen](sectile::Sample& other, sectile::Draw& its) {
        apply_first(i, chosen, other, its);
      });
      transforms_[chosen[i]]->apply(sample, own);
    }
  }

  std::vector<std::shared_ptr<sectile::Transform>> transforms_;
  std::int64_t least_, most_;
  bool replace_;
  double probability_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<SomeOf, SomeOfOptions>("some_of",
                                                         "Some of several transforms, chosen by chance, in order."))
