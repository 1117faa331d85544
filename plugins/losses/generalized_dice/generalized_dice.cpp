// Generalized Dice loss (Sudre et al. 2017, arXiv:1707.03237): one Dice of all classes together, in which a class's
// area weighs 1 / (true area)^2. MONAI's GeneralizedDiceLoss, whose rule for absent classes is kept.
#include <limits>

#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>

#include <sectile/data/class_selection.h>
#include <sectile/losses/region_loss.h>

namespace {

struct GeneralizedDiceOptions : sectile::ClassSelection {
  enum class WeightType { square, simple, uniform };
  using Over = sectile::RegionLossOptions::Over;

  sectile::LossActivation activation = sectile::LossActivation::automatic;
  Over over = Over::sample;
  WeightType weight_type = WeightType::square;
  double smooth = 1e-5;

  void declare(sectile::Options& options) {
    sectile::add_activation(
        options, &activation,
        "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
        "overlap, else softmax.");
    options
        .add("over", &over,
             "What areas are summed over before they are compared: each sample, whose losses are then averaged, or the "
             "whole batch (of all ranks; of accumulated batches, each by itself).")
        .one_of({"batch", "sample"});
    options
        .add("weight_type", &weight_type,
             "The weight of a class. square: 1 / (true area)^2; simple: 1 / (true area); uniform: 1. With square and "
             "simple, a class without truth (in the sample or batch) gets the largest weight of the others, so that "
             "false positives count. The loss is 1 - (2 * sum of weight * overlap + smooth) / (sum of weight * "
             "(predicted area + true area) + smooth), where the sums are over the classes.")
        .one_of({"square", "simple", "uniform"});
    options
        .add("smooth", &smooth,
             "Added to numerator and denominator. Both are weighted: with square, even a well predicted class of n "
             "pixels adds about 2 / n, so that values far above 1e-5 hide large classes.")
        .at_least(1e-12);
    ClassSelection::declare(options);
  }

  // Names instead of numbers; none if all classes count. Absent ones are in the one ratio.
  sectile::RegionLossOptions region(const sectile::BuildContext& context) const {
    sectile::RegionLossOptions made;
    made.activation = activation;
    made.over = over;
    const auto chosen = numbers(context);
    if (static_cast<int>(chosen.size()) == context.classes()) return made;
    for (const auto number : chosen)
      made.include.push_back(context.labels->classes[static_cast<std::size_t>(number)].name);
    return made;
  }
};

class GeneralizedDice final : public sectile::RegionLoss {
 public:
  GeneralizedDice(const GeneralizedDiceOptions& options, const sectile::BuildContext& context)
      : RegionLoss(options.region(context), context), weight_type_(options.weight_type), smooth_(options.smooth) {}

 protected:
  // Each class has the loss of its row, whose mean is that over the rows.
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    const auto weight = weights(counts.truth);
    const auto sum = [&](const at::Tensor& areas) { return (weight * areas).sum(1, /*keepdim=*/true); };
    const auto dice = (2 * sum(counts.overlap) + smooth_) / (sum(counts.predicted + counts.truth) + smooth_);
    return (1 - dice).expand_as(counts.truth);
  }

 private:
  at::Tensor weights(const at::Tensor& truth) const {
    using Type = GeneralizedDiceOptions::WeightType;
    if (weight_type_ == Type::uniform) return at::ones_like(truth);
    const auto found = (weight_type_ == Type::square ? truth * truth : truth).reciprocal();
    const auto absent = found == std::numeric_limits<double>::infinity();
    const auto present = found.masked_fill(absent, 0);
    return present + absent * present.amax(1, /*keepdim=*/true);
  }

  GeneralizedDiceOptions::WeightType weight_type_;
  double smooth_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::loss<GeneralizedDice, GeneralizedDiceOptions>(
                   "generalized_dice", "One Dice of all classes, weighted by the inverse of their squared areas."))
