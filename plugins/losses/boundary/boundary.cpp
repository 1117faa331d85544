// Boundary loss (Kervadec et al. 2019, arXiv:1812.07032): the mean of the predicted probabilities times the signed
// distance to the true border. Distances are those of the authors' one_hot2dist (LIVIAETS/boundary-loss): d outside,
// -(d - 1) inside, in pixels, where d is the distance to the nearest pixel of the other side.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>

#include <sectile/data/class_selection.h>
#include <sectile/loss.h>
#include <sectile/losses/border_distance.h>
#include <sectile/losses/class_target.h>
#include <sectile/roles.h>

namespace {

struct BoundaryOptions : sectile::ClassSelection {
  sectile::LossActivation activation = sectile::LossActivation::automatic;

  void declare(sectile::Options& options) {
    sectile::add_activation(
        options, &activation,
        "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
        "overlap, else softmax. The loss is the mean, over all labelled pixels and the classes that count, of the "
        "probability times the distance in pixels to the true border of the class: positive outside, negative or 0 "
        "inside, where labels are above 0.5. A class that an image lacks, or that covers it, adds 0. The loss may "
        "be negative, and is meant to be added to one over areas, such as generalized_dice, with a small weight "
        "(0.01).");
    ClassSelection::declare(options);
  }
};

class BoundaryLoss final : public sectile::DenseLoss, public sectile::MeanLoss {
 public:
  BoundaryLoss(const BoundaryOptions& options, const sectile::BuildContext& context)
      : sigmoid_(sectile::uses_sigmoid(options.activation, context)),
        classes_(at::tensor(options.numbers(context), at::kLong)) {}

  bool reads_values() const override { return true; }

  double counted(const at::Tensor& labels) const override {
    if (labels.is_floating_point()) return number_of(labels.index_select(1, classes_.to(labels.device())) >= 0);
    return number_of(labels != sectile::kIgnore) * static_cast<double>(classes_.numel());
  }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto classes = classes_.to(logits.device());
    const auto [target, counted] = sectile::class_target(labels, logits);
    const auto counts = counted.index_select(1, classes);
    const auto inside = target.index_select(1, classes) > 0.5;
    const auto distance = sectile::border_distances(inside, counts > 0);
    const auto weight = at::where(inside.logical_and(distance > 0), 1 - distance, distance).to(logits.scalar_type());
    const auto probability = (sigmoid_ ? logits.sigmoid() : logits.softmax(1)).index_select(1, classes);
    return sectile::mean_of_counted(probability * weight, counts);
  }
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    return forward(logits, labels);
  }

 private:
  static double number_of(const at::Tensor& counts) { return static_cast<double>(counts.sum().item<std::int64_t>()); }

  bool sigmoid_;
  at::Tensor classes_;  // numbers of those that count
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<BoundaryLoss, BoundaryOptions>(
                            "boundary", "Predicted probabilities weighted by the distance to the true border."))
