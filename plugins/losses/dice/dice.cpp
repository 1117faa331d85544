// Soft Dice loss: 1 - Dice, where Dice is 2 * overlap / (predicted + true) of soft areas, per class (Milletari et al.
// 2016, "V-Net"). Packages differ in what an area is summed over, in how they smooth, and in what a class without truth
// costs. The presets are those of segmentation_models_pytorch 0.6 (DiceLoss), nnU-Net 2 (MemoryEfficientSoftDiceLoss,
// whose -Dice is this loss minus 1), MONAI 1.5 (DiceLoss) and PaddleSeg 2.10 (DiceLoss).
#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <sectile/data/class_selection.h>
#include <sectile/losses/class_weights.h>
#include <sectile/losses/region_loss.h>

namespace {

using sectile::BuildContext;
using sectile::LossActivation;
using sectile::OptionError;
using sectile::RegionLoss;
using sectile::RegionLossOptions;
using Over = RegionLossOptions::Over;
using Absent = RegionLossOptions::Absent;

struct DiceOptions {
  enum class Preset { none, smp, nnunet, monai, paddleseg, plain };

  Preset preset = Preset::none;
  std::optional<LossActivation> activation;
  std::optional<Over> over;
  std::optional<Absent> absent;
  std::optional<bool> include_background;
  std::optional<double> smooth, smooth_denominator, eps;
  bool squared = false, log = false;
  std::vector<std::string> include;
  std::vector<double> class_weights;

  void declare(sectile::Options& options) {
    options
        .add("preset", &preset,
             "Whose Dice loss this is; an option that is given goes before its preset's. none: softmax (sigmoid if "
             "classes overlap), areas over the batch, smooth 1. smp: over the batch, smooth 0, eps 1e-7, absent zero. "
             "nnunet: over the batch, smooth 1e-5, without the first class unless classes overlap (for its 3-D "
             "networks set over to sample). monai: per sample, smooth 1e-5. paddleseg: per sample, smooth 1, 1e-8 more "
             "in the denominator. plain: sigmoid, per sample, smooth 1.")
        .one_of({"none", "smp", "nnunet", "monai", "paddleseg", "plain"});
    options
        .add("activation", &activation,
             "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
             "overlap, else softmax.")
        .one_of({"auto", "softmax", "sigmoid"});
    options
        .add("over", &over,
             "What areas are summed over before they are compared: the whole batch (of all ranks; of accumulated "
             "batches, each by itself), or each sample, whose losses are then averaged.")
        .one_of({"batch", "sample"});
    options
        .add("absent", &absent,
             "A class that is absent from the labels (of the batch or sample): count its loss, so that false positives "
             "increase it; skip it, and average over the others; or zero: its loss is 0, and it counts in the average.")
        .one_of({"count", "skip", "zero"});
    options.add("include", &include, "Names of the classes to average over, each once. Empty: all.");
    options.add("include_background", &include_background, "false: the first class is left out of the average.");
    options
        .add(
            "smooth", &smooth,
            "Added to the numerator and the denominator of 2 * overlap / (predicted + true), in pixels. Larger values "
            "reduce the influence of small and absent classes. segmentation_models_pytorch's smooth counts twice this.")
        .at_least(0);
    options.add("smooth_denominator", &smooth_denominator, "Added to the denominator in place of smooth, in pixels.")
        .at_least(0);
    options.add("eps", &eps, "The denominator is at least this, in pixels; with log, Dice is at least this too.")
        .at_least(0);
    options.add("squared", &squared,
                "Sum squares of probabilities and targets in the denominator, as V-Net and MONAI's squared_pred do.");
    options.add("log", &log, "The loss is -log(Dice) of each class, as segmentation_models_pytorch's log_loss.");
    options
        .add("class_weights", &class_weights,
             "What each class's loss is multiplied by: one value per class of the dataset, in class order, 0 or more, "
             "and not all 0. The mean over classes is not divided by their sum, except in the preset smp. Empty: all "
             "1.")
        .at_least(0);
  }

  void check(sectile::Problems& problems) const {
    given_weights().check(problems);
    if (include_background == false && !include.empty())
      problems.add("include_background", "is false, and include names the classes: leave one of both out");
  }
  sectile::ClassWeightOptions given_weights() const { return {.class_weights = class_weights}; }
};

// The options with what the preset says where nothing is given.
struct Rule {
  RegionLossOptions region{};
  double smooth = 1, smooth_denominator = 1, eps = 0;

  Rule(const DiceOptions& options, const BuildContext& context) {
    using Preset = DiceOptions::Preset;
    const auto preset = options.preset;
    const bool overlapping = context.labels && context.labels->overlapping;
    const bool per_sample = preset == Preset::monai || preset == Preset::paddleseg || preset == Preset::plain;
    const bool by_smp = preset == Preset::smp;
    const double small = preset == Preset::nnunet || preset == Preset::monai ? 1e-5 : by_smp ? 0 : 1;
    region.activation =
        options.activation.value_or(preset == Preset::plain ? LossActivation::sigmoid : LossActivation::automatic);
    region.over = options.over.value_or(per_sample ? Over::sample : Over::batch);
    region.absent = options.absent.value_or(by_smp ? Absent::zero : Absent::count);
    region.include = options.include;
    smooth = options.smooth.value_or(small);
    smooth_denominator = options.smooth_denominator.value_or(smooth + (preset == Preset::paddleseg ? 1e-8 : 0));
    eps = options.eps.value_or(by_smp ? 1e-7 : 0);
    const bool all = preset != Preset::nnunet || overlapping || !options.include.empty();
    if (!options.include_background.value_or(all)) leave_out_background(context);
  }

 private:
  void leave_out_background(const BuildContext& context) {
    if (context.classes() < 2)
      throw OptionError("include_background", "expected to be true: the data has no class but the first one");
    for (std::size_t c = 1; c < context.labels->classes.size(); ++c)
      region.include.push_back(context.labels->classes[c].name);
  }
};

class Dice final : public RegionLoss {
 public:
  Dice(const DiceOptions& options, const BuildContext& context) : Dice(options, Rule(options, context), context) {}

 protected:
  at::Tensor per_class(const sectile::SoftCounts& counts) const override {
    auto size = counts.predicted + counts.truth + rule_.smooth_denominator;
    if (rule_.eps > 0) size = size.clamp_min(rule_.eps);
    const auto nothing = size == 0;  // neither predicted nor true: a perfect match
    auto dice = (2 * counts.overlap + rule_.smooth + nothing) / (size + nothing);
    auto loss = log_ ? -dice.clamp_min(std::max(rule_.eps, 1e-12)).log() : 1 - dice;
    if (weights_.defined()) loss = loss * weights_.to(loss.device());
    return loss.masked_fill(counts.pixels == 0, 0);
  }

 private:
  Dice(const DiceOptions& options, const Rule& rule, const BuildContext& context)
      : RegionLoss(rule.region, context, options.squared),
        rule_(rule),
        log_(options.log),
        weights_(weights_of(options, rule, context)) {}

  static at::Tensor weights_of(const DiceOptions& options, const Rule& rule, const BuildContext& context) {
    auto weights = options.given_weights().weights(context);
    if (!weights.defined()) return {};
    const auto numbers = sectile::class_numbers(rule.region.include, "include", context);
    if (!numbers.empty()) weights = weights.index_select(0, at::tensor(numbers, at::kLong));
    if (weights.sum().item<double>() == 0)
      throw OptionError("class_weights",
                        "are 0 for all classes that are averaged over, so that nothing would be learned; expected at "
                        "least one above 0");
    return options.preset == DiceOptions::Preset::smp ? weights / weights.mean() : weights;
  }

  const Rule rule_;
  const bool log_;
  const at::Tensor weights_;  // of the included classes; undefined: all 1
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Dice, DiceOptions>(
                            "dice", "Soft Dice over softmax or per-class sigmoid, by the rules of several packages."))
