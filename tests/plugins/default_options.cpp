// Transforms whose options have defaults of more than one value: components with options of their own, and arrays for
// which one value may stand. They change nothing.
#include <sectile/transform.h>

namespace {

using sectile::Ref;
using sectile::Transform;

struct Inner {
  std::string mode = "fast";
  std::vector<int> strides{4};
  double share = 0.5;
  bool exact = false;
  Ref<Transform> then;
  void declare(sectile::Options& options) {
    options.add("mode", &mode, "One of two words.").one_of({"fast", "slow"});
    options.add("strides", &strides, "One or several whole numbers.").at_least(1).also_single().not_empty();
    options.add("share", &share, "A share of something.").at_least(0).at_most(1);
    options.add("exact", &exact, "A switch of it.");
    options.add("then", &then, "Another transform.");
  }
};

struct Outer {
  Ref<Transform> part =
      Ref<Transform>("inner").with("mode", "slow").with("strides", {1, 2}).with("share", 1).with("exact", true);
  std::vector<Ref<Transform>> several{Ref<Transform>("inner").with("strides", {8}), Ref<Transform>("inner")};
  std::optional<std::vector<double>> factors;
  void declare(sectile::Options& options) {
    options.add("part", &part, "A component with options of its own.");
    options.add("several", &several, "More of them, in order.");
    options.add("factors", &factors, "One or several numbers, or none.").at_least(0).also_single();
  }
};

class Nothing final : public Transform {
 public:
  void apply(sectile::Sample&, sectile::Draw&) const override {}
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::transform<Nothing, Inner>("inner", "Stands inside another."),
               sectile::transform<Nothing, Outer>("outer", "Has another inside, with options by default."))
