// Cross entropy of the hard pixels only: online hard example mining (Shrivastava et al. 2016) over pixels.
//
// Pixels are selected over the whole batch and averaged over those selected, as by mmsegmentation's and HRNet's
// OhemCrossEntropy. These differ where the labelled pixels are no more than min_kept and one of them is above the
// threshold: they leave out the easiest pixel, and a single one gives NaN; here all count. Others: PaddleSeg's
// OhemCrossEntropyLoss keeps one pixel less than min_kept, and all if there are not more than min_kept;
// mmsegmentation's OHEMPixelSampler keeps min_kept times the number of images, and its cross entropy then divides by
// all pixels, ignored ones included.
#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/topk.h>

#include <sectile/loss.h>
#include <sectile/losses/class_weights.h>

namespace {

struct OhemCrossEntropyOptions {
  double threshold = 0.7;
  std::int64_t min_kept = 100000;
  sectile::ClassWeightOptions weights;

  void declare(sectile::Options& options) {
    options
        .add("threshold", &threshold,
             "A pixel is hard, and counts, if the predicted probability of its class is below this. 0: only min_kept "
             "decides; 1: nearly all pixels count.")
        .at_least(0)
        .at_most(1);
    options
        .add("min_kept", &min_kept,
             "At least so many pixels of the batch count, or all if there are fewer: those with the lowest "
             "probability of their class, even above the threshold. Hard pixels are chosen and averaged in each batch "
             "by itself, also of batches that are accumulated (and of the images of each rank): more, smaller batches "
             "per step are another loss than one large batch.")
        .at_least(1);
    weights.declare(options,
                    "One weight per class of the dataset, in class order, 0 or more and not all 0; it multiplies the "
                    "cross entropy of the class's pixels. The mean is divided by the number of pixels that count, "
                    "not by their weights. Empty: all 1.");
  }
  void check(sectile::Problems& problems) const { weights.check(problems); }
};

class OhemCrossEntropy final : public sectile::DenseLoss {
 public:
  OhemCrossEntropy(const OhemCrossEntropyOptions& options, const sectile::BuildContext& context)
      : threshold_(options.threshold), min_kept_(options.min_kept), weights_(options.weights.weights(context)) {}

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto number = labels.clamp_min(0).unsqueeze(1);
    const auto log_probability = logits.log_softmax(1).gather(1, number).flatten();
    const auto kept = hard(log_probability.detach().exp(), labels.flatten() != sectile::kIgnore);
    auto entropy = -log_probability;
    if (weights_.defined()) entropy = entropy * weights_.to(logits.options()).index({number.flatten()});
    return (entropy * kept).sum() / kept.sum().clamp_min(1);
  }

 private:
  // probability: of each pixel's class. Ignored pixels come after all others, and no shape depends on their number.
  at::Tensor hard(const at::Tensor& probability, const at::Tensor& counted) const {
    const auto sorted = probability.masked_fill(counted == 0, 2);
    const auto least = std::min(min_kept_, sorted.numel());
    const auto hardest = std::get<0>(at::topk(sorted, least, 0, /*largest=*/false, /*sorted=*/false));
    return counted & ((sorted < threshold_) | (sorted <= hardest.amax()));
  }

  double threshold_;
  std::int64_t min_kept_;
  at::Tensor weights_;  // [C]; undefined: all 1
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<OhemCrossEntropy, OhemCrossEntropyOptions>(
                            "ohem_cross_entropy", "Cross entropy of the hard pixels (online hard example mining)."))
