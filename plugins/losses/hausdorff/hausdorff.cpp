// Hausdorff loss by distance transforms (Karimi and Salcudean 2019, arXiv:1904.10030, eq. 8); equal to MONAI's
// HausdorffDTLoss where no pixel is ignored.
#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

#include <sectile/data/class_selection.h>
#include <sectile/loss.h>
#include <sectile/losses/border_distance.h>
#include <sectile/losses/class_target.h>

namespace {

struct HausdorffOptions : sectile::ClassSelection {
  sectile::LossActivation activation = sectile::LossActivation::automatic;
  double alpha = 2;

  void declare(sectile::Options& options) {
    sectile::add_activation(
        options, &activation,
        "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
        "overlap, else softmax. The loss of an image and class is the mean, over its labelled pixels, of the squared "
        "error of the probability times (p^alpha + t^alpha), where p and t are the distances in pixels to the border "
        "of the prediction (probability above 0.5) and of the truth: that to the nearest pixel of the other side, and "
        "0 where there is none. The loss is the mean over images and classes. It grows with the size of the images; "
        "add it to one over areas, such as dice, with a weight that makes both alike.");
    options
        .add("alpha", &alpha,
             "Exponent of the distances: larger values weigh pixels far from the borders more. The paper found 2 best, "
             "and 1 to 3 usable.")
        .at_least(0.1)
        .at_most(4);
    ClassSelection::declare(options);
  }
};

class Hausdorff final : public sectile::DenseLoss {
 public:
  Hausdorff(const HausdorffOptions& options, const sectile::BuildContext& context)
      : alpha_(options.alpha),
        sigmoid_(sectile::uses_sigmoid(options.activation, context)),
        classes_(at::tensor(options.numbers(context), at::kLong)) {}

  bool reads_values() const override { return true; }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto classes = classes_.to(logits.device());
    const auto labelled = sectile::class_target(labels, logits);
    const auto target = labelled.target.index_select(1, classes), counted = labelled.counted.index_select(1, classes);
    const auto probability = (sigmoid_ ? logits.sigmoid() : logits.softmax(1)).index_select(1, classes);
    // Distances are constants: the gradient is that of the error.
    const auto field = [&](const at::Tensor& values) {
      return sectile::border_distances(values.detach() > 0.5, counted > 0).pow(alpha_);
    };
    const auto weight = ((field(probability) + field(target)) * counted).flatten(2);
    const auto error = (probability - target).square().flatten(2).to(at::kDouble);
    const auto per_class = (error * weight).sum(2, /*keepdim=*/false) /
                           counted.flatten(2).sum(2, /*keepdim=*/false, at::kDouble).clamp_min(1);
    return per_class.mean().to(logits.scalar_type());
  }
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    return forward(logits, labels);
  }

 private:
  double alpha_;
  bool sigmoid_;
  at::Tensor classes_;  // numbers of those that count
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Hausdorff, HausdorffOptions>(
                            "hausdorff", "Squared errors weighted by the distances to the predicted and true borders."))
