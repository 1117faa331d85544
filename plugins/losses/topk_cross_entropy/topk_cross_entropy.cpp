// Cross entropy of the pixels where it is largest (Wu et al. 2016, "Bridging Category-level and Instance-level Semantic
// Image Segmentation"), as nnU-Net's TopKLoss has it: k percent of the batch. nnU-Net counts ignored pixels with a loss
// of 0, both in the percentage and, if they are among the largest, in the mean; here they are left out of both.
#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/topk.h>

#include <sectile/loss.h>
#include <sectile/losses/class_weights.h>

namespace {

struct TopkCrossEntropyOptions {
  double k = 10;
  sectile::ClassWeightOptions weights;
  double label_smoothing = 0;

  void declare(sectile::Options& options) {
    options
        .add("k", &k,
             "Percentage of the labelled pixels of the batch that count: those of the largest cross entropy, rounded "
             "down, and at least one. Above 0; 100: the mean over all. Pixels are chosen and averaged in each batch by "
             "itself, also of batches that are accumulated (and of the images of each rank): more, smaller batches per "
             "step are another loss than one large batch.")
        .at_least(0)
        .at_most(100);
    weights.declare(options,
                    "One weight per class of the dataset, in class order, 0 or more and not all 0; it multiplies the "
                    "cross entropy of the class's pixels before the largest are chosen. The mean is divided by the "
                    "number of pixels. Empty: all 1.");
    options
        .add("label_smoothing", &label_smoothing,
             "Label smoothing: this fraction of the target is spread evenly over all classes. If all pixels are "
             "ignored, the loss is 0.")
        .at_least(0)
        .at_most(1);
  }
  void check(sectile::Problems& problems) const {
    if (k == 0) problems.add("k", "is 0; expected a percentage above 0, up to 100");
    weights.check(problems);
  }
};

class TopkCrossEntropy final : public sectile::DenseLoss {
 public:
  TopkCrossEntropy(const TopkCrossEntropyOptions& options, const sectile::BuildContext& context)
      : percent_(options.k), smoothing_(options.label_smoothing), weights_(options.weights.weights(context)) {}

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto counted = labels.flatten() != sectile::kIgnore;
    // Below every loss, so that ignored pixels come last and no shape depends on their number.
    const auto losses = entropy(logits, labels).flatten().where(counted, at::full({}, -1, logits.options()));
    const auto all = losses.numel();
    const auto most = std::max<std::int64_t>(1, static_cast<std::int64_t>(static_cast<double>(all) * percent_ / 100));
    const auto largest = std::get<0>(at::topk(losses, most, 0));
    const auto chosen = (counted.sum().to(at::kDouble) * percent_ / 100).floor().clamp_min(1);
    const auto rank = at::arange(most, chosen.options());
    const auto kept = (rank < chosen) & (largest >= 0);
    return (largest * kept).sum() / kept.sum().clamp_min(1);
  }

 private:
  // Per pixel: [N, 1, …].
  at::Tensor entropy(const at::Tensor& logits, const at::Tensor& labels) const {
    const auto number = labels.clamp_min(0).unsqueeze(1);
    const auto log_probability = logits.log_softmax(1);
    auto of_class = -log_probability.gather(1, number);
    const auto weights =
        weights_.defined() ? weights_.to(logits.options()) : at::ones({logits.size(1)}, logits.options());
    if (weights_.defined()) of_class = of_class * weights.index({number});
    if (smoothing_ == 0) return of_class;
    const auto of_all = -at::matmul(weights, log_probability.flatten(2)).view_as(of_class);
    return (1 - smoothing_) * of_class + smoothing_ / static_cast<double>(logits.size(1)) * of_all;
  }

  double percent_, smoothing_;
  at::Tensor weights_;  // [C]; undefined: all 1
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<TopkCrossEntropy, TopkCrossEntropyOptions>(
                            "topk_cross_entropy", "Cross entropy of the k percent of pixels where it is largest."))
