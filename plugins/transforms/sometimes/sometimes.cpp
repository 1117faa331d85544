// All of its transforms or none, by a common probability: albumentations' Sequential with p, imgaug's Sometimes.
#include <cstddef>
#include <memory>
#include <vector>

#include <sectile/transforms/nested.h>

namespace {

struct SometimesOptions {
  std::vector<sectile::Ref<sectile::Transform>> transforms;
  double probability = 0.5;

  void declare(sectile::Options& options) {
    options
        .add("transforms", &transforms,
             "Transforms that are applied in order, each by its own probability as well. Warps among them are applied "
             "one by one, also with \"fuse\".")
        .required()
        .not_empty();
    options.add("probability", &probability, "Probability of applying the transforms. Otherwise none is.")
        .at_least(0)
        .at_most(1);
  }
};

class Sometimes final : public sectile::Transform, public sectile::HasEffects {
 public:
  Sometimes(const SometimesOptions& options, const sectile::BuildContext& context)
      : transforms_(sectile::build_all(options.transforms, context)), probability_(options.probability) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    if (draw.random.chance(probability_)) apply_first(transforms_.size(), sample, draw);
  }

  sectile::Effects effects() const override {
    const auto own = sectile::effects_of(transforms_, "/transforms");
    return probability_ < 1 ? own.by_chance() : own;
  }

 private:
  // A sample that the i-th one mixes in has been through those before it, like `sample`.
  void apply_first(std::size_t count, sectile::Sample& sample, sectile::Draw& draw) const {
    for (std::size_t i = 0; i < count; ++i) {
      auto own = draw.child(i, [this, i](sectile::Sample& other, sectile::Draw& its) { apply_first(i, other, its); });
      transforms_[i]->apply(sample, own);
    }
  }

  std::vector<std::shared_ptr<sectile::Transform>> transforms_;
  double probability_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Sometimes, SometimesOptions>(
                            "sometimes", "Several transforms in order, all of them or none by chance."))
