// Binary cross entropy: each class is a question of yes or no by itself, as torch.nn.BCEWithLogitsLoss asks it.
#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>

#include <sectile/loss.h>
#include <sectile/losses/class_target.h>
#include <sectile/losses/class_weights.h>
#include <sectile/roles.h>

namespace {

struct BceOptions {
  sectile::ClassWeightOptions weights;
  std::vector<double> pos_weight;
  double label_smoothing = 0;

  void declare(sectile::Options& options) {
    weights.declare(options,
                    "One weight per class of the dataset, in class order, 0 or more and not all 0; the loss is the "
                    "weighted mean over all labelled pixels and all classes. Empty: all 1.");
    options
        .add("pos_weight", &pos_weight,
             "Weight of pixels of the class against pixels of other classes, one value for all classes or one per "
             "class: above 1, a missed pixel counts more than a false one. It does not change what the mean is "
             "divided by. Empty: 1.")
        .at_least(0);
    options
        .add("label_smoothing", &label_smoothing,
             "Label smoothing: targets are this fraction nearer to 0.5, at 1 all of them 0.5. If all pixels are "
             "ignored, the loss is 0.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const { weights.check(problems); }
};

class Bce final : public sectile::DenseLoss, public sectile::MeanLoss {
 public:
  Bce(const BceOptions& options, const sectile::BuildContext& context)
      : smoothing_(options.label_smoothing),
        weights_(options.weights.weights(context)),
        pos_weight_(sectile::values_per_class("pos_weight", options.pos_weight, context)),
        classes_(context.classes()) {}

  double counted(const at::Tensor& labels) const override {
    if (!labels.is_floating_point()) {
      const double all = weights_.defined() ? weights_.sum().item<double>() : static_cast<double>(classes_);
      return all * (labels != sectile::kIgnore).sum().item<double>();
    }
    const auto valid = labels >= 0;
    if (!weights_.defined()) return valid.sum().item<double>();
    return (valid * sectile::beside_classes(weights_, labels)).sum(at::kDouble).item<double>();
  }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto [target, counted] = sectile::class_target(labels, logits);
    const auto factor = weights_.defined() ? counted * sectile::beside_classes(weights_, logits) : counted;
    const auto smooth = target * (1 - smoothing_) + smoothing_ / 2;
    const auto pos_weight = pos_weight_.defined() ? sectile::beside_classes(pos_weight_, logits) : at::Tensor();
    const auto entropy =
        at::binary_cross_entropy_with_logits(logits, smooth, {}, pos_weight, at::Reduction::None) * factor;
    const auto total = factor.sum();
    return entropy.sum() / (total + (total == 0));
  }
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    return forward(logits, labels);
  }

 private:
  double smoothing_;
  at::Tensor weights_, pos_weight_;  // [C]; undefined: all 1
  int classes_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Bce, BceOptions>("bce", "Binary cross entropy per pixel and class."))
