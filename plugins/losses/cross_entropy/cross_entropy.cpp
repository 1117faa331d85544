// Cross entropy per pixel; binary cross entropy per class if classes overlap.
#include <algorithm>
#include <string>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>

#include <sectile/loss.h>
#include <sectile/losses/class_weights.h>
#include <sectile/losses/upsampled_softmax.h>
#include <sectile/roles.h>

namespace {

enum class Average { counted, all };

struct CrossEntropyOptions {
  sectile::ClassWeightOptions weights;
  double label_smoothing = 0;
  Average average = Average::counted;
  std::string pixel_weights;

  void declare(sectile::Options& options) {
    weights.declare(options,
                    "One weight per class of the dataset, in class order, 0 or more and not all 0; the loss is the "
                    "weighted mean over all labelled pixels (and classes, where classes overlap). Empty: all 1.");
    options
        .add("label_smoothing", &label_smoothing,
             "Label smoothing: this fraction of the target is spread evenly over all classes (over yes and no where "
             "classes overlap). If all pixels are ignored, the loss is 0.")
        .at_least(0)
        .at_most(1);
    options
        .add("average", &average,
             "What the sum over the labelled pixels is divided by. counted: the weights of these pixels, as in "
             "PyTorch; of soft labels, each class's weight times its share, so that a share of 1 is a class number "
             "(PyTorch: the number of pixels). all: the number of all pixels of the batch (times classes, where "
             "classes overlap), ignored ones "
             "and the padding of images included and whatever their weights; this is mmsegmentation's default where no "
             "class weights are given. A batch with "
             "many ignored pixels then counts less.")
        .one_of({"counted", "all"});
    options.add(
        "pixel_weights", &pixel_weights,
        "Name of a target with one weight per pixel, such as that of the transform border_weights: the loss of "
        "each pixel is multiplied by it. What the sum is divided by does not change, so that the loss is the mean "
        "of weighted values. The logits are then resized before the loss. Default: none.");
  }
  void check(sectile::Problems& problems) const { weights.check(problems); }
};

// The class dimension: [N, C, pixels], or [N, pixels, C] for many classes that are last in memory. With [N, C, pixels],
// softmax copies such logits, which is only faster for few classes.
struct Scores {
  at::Tensor values;
  int dim;
};
Scores scores(const at::Tensor& logits) {
  constexpr int kManyClasses = 16;
  const auto last = logits.movedim(1, -1);
  if (logits.size(1) >= kManyClasses && last.is_contiguous()) return {last.flatten(1, -2), 2};
  return {logits.flatten(2), 1};
}

class CrossEntropy final : public sectile::DenseLoss, public sectile::MeanLoss, public sectile::ReadsTargets {
 public:
  CrossEntropy(const CrossEntropyOptions& options, const sectile::BuildContext& context)
      : smoothing_(options.label_smoothing),
        overlapping_(context.labels && context.labels->overlapping),
        all_(options.average == Average::all),
        pixel_weights_(options.pixel_weights),
        weights_(options.weights.weights(context)) {}

  sectile::LossTerms operator()(const sectile::Outputs& outputs, const sectile::Batch& batch) const override {
    if (pixel_weights_.empty()) return DenseLoss::operator()(outputs, batch);
    return Weighted(*this, weights_in(batch))(outputs, batch);
  }

  std::vector<std::string> read_targets() const override {
    return pixel_weights_.empty() ? std::vector<std::string>{} : std::vector<std::string>{pixel_weights_};
  }

  double counted(const at::Tensor& labels) const override {
    if (all_) return static_cast<double>(pixels(labels));
    at::Tensor count;
    if (!labels.is_floating_point()) {
      count = weights_.defined() ? (weights_.index({labels.clamp_min(0)}) * (labels != sectile::kIgnore)).sum()
                                 : (labels != sectile::kIgnore).sum();
    } else if (overlapping_) {
      const auto valid = labels >= 0;
      count = weights_.defined() ? (valid * weights_per_class(labels)).sum(at::kDouble) : valid.sum();
    } else {
      count = weight_of_soft(labels.to(at::kDouble), (labels >= 0).all(1, /*keepdim=*/true));
    }
    return count.item<double>();
  }

 protected:
  bool at_own_resolution() const override { return true; }

  at::Tensor forward(const at::Tensor& coarse, const at::Tensor& labels) const override {
    if (!sectile::takes_upsampled_softmax(coarse, labels)) return of_numbers(coarse, labels, {});
    const auto [sum, total] = sectile::upsampled_cross_entropy(coarse, labels, weights_, smoothing_);
    return mean(sum, total, labels);
  }

  at::Tensor forward_per_class(const at::Tensor& coarse, const at::Tensor& labels) const override {
    return per_class(coarse, labels, {});
  }

 private:
  // The same loss with weights of pixels [N, 1, …], which DenseLoss does not pass on.
  class Weighted final : public sectile::DenseLoss {
   public:
    Weighted(const CrossEntropy& loss, at::Tensor weights) : loss_(loss), weights_(std::move(weights)) {}

   protected:
    bool at_own_resolution() const override { return true; }
    at::Tensor forward(const at::Tensor& coarse, const at::Tensor& labels) const override {
      return loss_.of_numbers(coarse, labels, weights_.to(coarse.scalar_type()));
    }
    at::Tensor forward_per_class(const at::Tensor& coarse, const at::Tensor& labels) const override {
      return loss_.per_class(coarse, labels, weights_.to(coarse.scalar_type()));
    }

   private:
    const CrossEntropy& loss_;
    at::Tensor weights_;
  };

  at::Tensor weights_in(const sectile::Batch& batch) const {
    const auto fail = [&](const std::string& reason) {
      throw sectile::OptionError("pixel_weights",
                                 std::string("names the target \"").append(pixel_weights_).append(reason));
    };
    const auto found = batch.targets.find(pixel_weights_);
    if (found == batch.targets.end()) {
      std::string names;
      for (const auto& [name, unused] : batch.targets) names += (names.empty() ? "" : ", ") + name;
      fail(std::string("\", which no sample of the batch has; there are: ").append(names.empty() ? "none" : names));
    }
    const auto& weights = found->second;
    if (!weights.is_floating_point())
      fail("\", which is a map of class numbers; expected one of weights, as the transform border_weights adds it");
    if (weights.size(1) != 1)
      fail("\", which has " + std::to_string(weights.size(1)) + " channels; expected one: a weight per pixel");
    const auto& labels = batch.labels;
    if (labels.defined() && weights.sizes().slice(2) != labels.sizes().slice(labels.is_floating_point() ? 2 : 1))
      fail("\", which has another size than the labels; expected a weight per pixel");
    return weights;
  }

  // pixel_weights: [N, 1, …] of the logits' type; undefined: all 1.
  at::Tensor of_numbers(const at::Tensor& coarse, const at::Tensor& labels, const at::Tensor& pixel_weights) const {
    const auto logits = sectile::resized_logits(coarse, labels.sizes().slice(1));
    const auto [values, dim] = scores(logits);
    const auto truth = labels.flatten(1).unsqueeze(dim);  // [N, 1, pixels] or [N, pixels, 1]
    const auto counted = truth != sectile::kIgnore;
    const auto number = truth.clamp_min(0);
    const auto weights = weights_for(logits);
    const auto factor = counted * weights.index({number});
    const auto of_pixels = pixel_weights.defined() ? pixel_weights.flatten(1).unsqueeze(dim) * counted : counted;
    const auto log_probability = values.log_softmax(dim);
    const auto own = pixel_weights.defined() ? factor * of_pixels : factor;
    auto sum = -(log_probability.gather(dim, number) * own).sum();
    if (smoothing_ > 0) {
      const auto over_classes =
          (dim == 1 ? at::matmul(weights, log_probability) : at::matmul(log_probability, weights)).unsqueeze(dim);
      const auto share = smoothing_ / static_cast<double>(logits.size(1));
      sum = (1 - smoothing_) * sum - share * (over_classes * of_pixels).sum();
    }
    return mean(sum, factor.sum(), labels);
  }

  at::Tensor per_class(const at::Tensor& coarse, const at::Tensor& labels, const at::Tensor& pixel_weights) const {
    const auto logits = sectile::resized_logits(coarse, labels.sizes().slice(2));
    return overlapping_ ? binary(logits, labels, pixel_weights) : soft(logits, labels, pixel_weights);
  }

  // Times classes where these overlap.
  std::int64_t pixels(const at::Tensor& labels) const {
    return labels.is_floating_point() && !overlapping_ ? labels.numel() / labels.size(1) : labels.numel();
  }
  // 0 / 0 is 0, with a gradient: all pixels are ignored, or there is none.
  at::Tensor mean(const at::Tensor& sum, const at::Tensor& total, const at::Tensor& labels) const {
    if (all_) return sum / static_cast<double>(std::max<std::int64_t>(1, pixels(labels)));
    return sum / (total + (total == 0));
  }
  at::Tensor weights_for(const at::Tensor& logits) const {
    return weights_.defined() ? weights_.to(logits.options()) : at::ones({logits.size(1)}, logits.options());
  }
  at::Tensor weights_per_class(const at::Tensor& logits) const {  // [C, 1, …], broadcasts with [N, C, …]
    std::vector<std::int64_t> shape(static_cast<std::size_t>(logits.dim() - 1), 1);
    shape[0] = -1;
    return weights_for(logits).view(shape);
  }

  at::Tensor binary(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& pixel_weights) const {
    const auto factor = (labels >= 0) * weights_per_class(logits);
    const auto target = labels.clamp_min(0) * (1 - smoothing_) + smoothing_ / 2;
    const auto own = pixel_weights.defined() ? factor * pixel_weights : factor;
    const auto sum = at::binary_cross_entropy_with_logits(logits, target, own, {}, at::Reduction::Sum);
    return mean(sum, factor.sum(), labels);
  }

  // Each pixel has a distribution over classes, as after mixing transforms.
  at::Tensor soft(const at::Tensor& logits, const at::Tensor& labels, const at::Tensor& pixel_weights) const {
    const auto counted = (labels >= 0).all(1, /*keepdim=*/true);
    const auto target = labels * (1 - smoothing_) + smoothing_ / static_cast<double>(logits.size(1));
    const auto own = pixel_weights.defined() ? pixel_weights * counted : counted;
    const auto sum = -(logits.log_softmax(1) * target * weights_per_class(logits) * own).sum();
    return mean(sum, weight_of_soft(labels, counted), labels);
  }

  // The same number as of class numbers where each pixel has one class. counted: [N, 1, …]
  at::Tensor weight_of_soft(const at::Tensor& labels, const at::Tensor& counted) const {
    if (!weights_.defined()) return counted.sum();
    return (labels * counted * weights_per_class(labels)).sum();
  }

  double smoothing_;
  bool overlapping_, all_;
  std::string pixel_weights_;  // a target; empty: none
  at::Tensor weights_;         // [C]; undefined: all 1
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<CrossEntropy, CrossEntropyOptions>(
                            "cross_entropy", "Cross entropy per pixel; binary per class where classes overlap."))
