// clDice (Shit et al. 2021, arXiv:2003.07311): how much of the predicted center lines lies in the true area, and of the
// true center lines in the predicted area. Equal to MONAI's SoftclDiceLoss, and with `alpha` to its SoftDiceclDiceLoss,
// where no pixel is ignored.
#include <vector>

#include <ATen/TensorOperators.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool3d.h>
#include <ATen/ops/minimum.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/tensor.h>

#include <sectile/data/class_selection.h>
#include <sectile/loss.h>
#include <sectile/losses/class_target.h>

namespace {

struct ClDiceOptions : sectile::ClassSelection {
  sectile::LossActivation activation = sectile::LossActivation::automatic;
  int iterations = 3;
  double smooth = 1;
  double alpha = 1;

  void declare(sectile::Options& options) {
    sectile::add_activation(
        options, &activation,
        "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
        "overlap, else softmax.");
    options
        .add(
            "iterations", &iterations,
            "Erosions that thin an area to its center line: at least half the width in pixels of the widest structure, "
            "whose center line is incomplete otherwise.")
        .at_least(0)
        .at_most(100);
    options
        .add("smooth", &smooth,
             "Added to the numerator and denominator of each share, in pixels. Larger values reduce the influence of "
             "small structures.")
        .at_least(1e-6);
    options
        .add("alpha", &alpha,
             "The loss is (1 - alpha) * Dice + alpha * clDice, 0 to 1. 1: clDice alone. Both are computed per image, "
             "then averaged; clDice sums over its classes, and Dice is averaged over them.")
        .at_least(0)
        .at_most(1);
    ClassSelection::declare(options);
  }
};

// Pixels that are not counted are neutral in both: an area next to them neither ends nor grows there, as at the border
// of the image.
class Morphology {
 public:
  explicit Morphology(const at::Tensor& counted) : ignored_(counted == 0) {}

  // The least of a pixel and its neighbours along the axes.
  at::Tensor eroded(const at::Tensor& values) const {
    const auto negative = -values.masked_fill(ignored_, 1);
    const auto axes = static_cast<std::size_t>(values.dim() - 2);
    at::Tensor least;
    for (std::size_t axis = 0; axis < axes; ++axis) {
      std::vector<std::int64_t> kernel(axes, 1), padding(axes, 0);
      kernel[axis] = 3, padding[axis] = 1;
      const auto along = -pooled(negative, kernel, padding);
      least = least.defined() ? at::minimum(least, along) : along;
    }
    return least;
  }
  // The skeleton: what openings of ever more eroded areas lose.
  at::Tensor skeleton(at::Tensor values, int iterations) const {
    auto found = at::relu(values - opened(values));
    for (int i = 0; i < iterations; ++i) {
      values = eroded(values);
      const auto lost = at::relu(values - opened(values));
      found = found + at::relu(lost - found * lost);
    }
    return found.masked_fill(ignored_, 0);
  }

 private:
  at::Tensor opened(const at::Tensor& values) const {
    const std::vector<std::int64_t> kernel(static_cast<std::size_t>(values.dim() - 2), 3);
    const std::vector<std::int64_t> padding(kernel.size(), 1);
    return pooled(eroded(values).masked_fill(ignored_, 0), kernel, padding);
  }
  static at::Tensor pooled(const at::Tensor& values, at::IntArrayRef kernel, at::IntArrayRef padding) {
    const std::vector<std::int64_t> stride(kernel.size(), 1);
    return kernel.size() == 2 ? at::max_pool2d(values, kernel, stride, padding)
                              : at::max_pool3d(values, kernel, stride, padding);
  }

  at::Tensor ignored_;
};

at::Tensor total_over(const at::Tensor& values, std::int64_t dim) {
  return values.sum(dim, /*keepdim=*/false, at::kDouble);
}

class ClDice final : public sectile::DenseLoss {
 public:
  ClDice(const ClDiceOptions& options, const sectile::BuildContext& context)
      : options_(options),
        sigmoid_(sectile::uses_sigmoid(options.activation, context)),
        classes_(at::tensor(options.numbers(context), at::kLong)) {}

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto classes = classes_.to(logits.device());
    const auto labelled = sectile::class_target(labels, logits);
    const auto target = labelled.target.index_select(1, classes), counted = labelled.counted.index_select(1, classes);
    const auto probability = (sigmoid_ ? logits.sigmoid() : logits.softmax(1)).index_select(1, classes) * counted;
    auto loss = options_.alpha * center_lines(probability, target, counted);
    if (options_.alpha < 1) loss = loss + (1 - options_.alpha) * dice(probability, target);
    return loss.to(logits.scalar_type());
  }
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    return forward(logits, labels);
  }

 private:
  at::Tensor center_lines(const at::Tensor& probability, const at::Tensor& target, const at::Tensor& counted) const {
    constexpr double kHarmonic = 1e-4;  // MONAI's, in the denominator of the harmonic mean
    const Morphology morphology(counted);
    const auto share = [&](const at::Tensor& lines, const at::Tensor& area) {
      return (total_over((lines * area).flatten(1), 1) + options_.smooth) /
             (total_over(lines.flatten(1), 1) + options_.smooth);
    };
    const auto precision = share(morphology.skeleton(probability, options_.iterations), target);
    const auto sensitivity = share(morphology.skeleton(target, options_.iterations), probability);
    const auto losses = 1 - 2 * (precision * sensitivity) / (precision + sensitivity + kHarmonic);
    return losses.masked_fill((counted == 0).flatten(1).all(1), 0).mean();  // an image without a pixel that counts
  }
  at::Tensor dice(const at::Tensor& probability, const at::Tensor& target) const {
    const auto of = [](const at::Tensor& values) { return total_over(values.flatten(2), 2); };
    const auto overlap = 2 * of(probability * target) + options_.smooth;
    return (1 - overlap / (of(probability) + of(target) + options_.smooth)).mean();
  }

  ClDiceOptions options_;
  bool sigmoid_;
  at::Tensor classes_;  // numbers of those that count
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::loss<ClDice, ClDiceOptions>(
                   "cldice", "Overlap of center lines and areas, for vessels, roads and other thin structures."))
