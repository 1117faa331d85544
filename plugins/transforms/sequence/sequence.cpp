// Several transforms as one, such as albumentations' Sequential: to be one choice of one_of or some_of.
#include <cstddef>
#include <memory>
#include <vector>

#include <sectile/transforms/nested.h>

namespace {

struct SequenceOptions {
  std::vector<sectile::Ref<sectile::Transform>> transforms;

  void declare(sectile::Options& options) {
    options
        .add("transforms", &transforms,
             "Transforms that are applied in order, each by its own probability. Warps among them are applied one by "
             "one, also with \"fuse\".")
        .required()
        .not_empty();
  }
};

class Sequence final : public sectile::Transform, public sectile::HasEffects {
 public:
  Sequence(const SequenceOptions& options, const sectile::BuildContext& context)
      : transforms_(sectile::build_all(options.transforms, context)) {}

  void apply(sectile::Sample& sample, sectile::Draw& draw) const override {
    apply_first(transforms_.size(), sample, draw);
  }

  sectile::Effects effects() const override { return sectile::effects_of(transforms_, "/transforms"); }

 private:
  // A sample that the i-th one mixes in has been through those before it, like `sample`.
  void apply_first(std::size_t count, sectile::Sample& sample, sectile::Draw& draw) const {
    for (std::size_t i = 0; i < count; ++i) {
      auto own = draw.child(i, [this, i](sectile::Sample& other, sectile::Draw& its) { apply_first(i, other, its); });
      transforms_[i]->apply(sample, own);
    }
  }

  std::vector<std::shared_ptr<sectile::Transform>> transforms_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::transform<Sequence, SequenceOptions>("sequence", "Several transforms in order, as one."))
