// Lovász-Softmax and Lovász hinge (Berman et al. 2018, "The Lovász-Softmax loss: A tractable surrogate for the
// optimization of the intersection-over-union measure in neural networks"): the convex extension of the Jaccard loss to
// errors of any size, per class.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sort.h>

#include <sectile/loss.h>
#include <sectile/losses/class_target.h>

namespace {

enum class Mode { automatic, softmax, hinge };
enum class Classes { automatic, present, all };

struct LovaszOptions {
  Mode mode = Mode::automatic;
  Classes classes = Classes::automatic;
  bool per_image = false;

  void declare(sectile::Options& options) {
    options
        .add("mode", &mode,
             "How errors are measured. softmax: Lovász-Softmax, the difference between probability and truth. hinge: "
             "Lovász hinge, where each class is a question of yes or no, and logits above 1 or below -1 on the right "
             "side are no error. auto: hinge if classes overlap, else softmax.")
        .one_of({"auto", "softmax", "hinge"});
    options
        .add("classes", &classes,
             "Classes to average over. present: those that are in the labels of the batch (or image); absent classes "
             "would pull every prediction down. all: absent ones too, whose loss is their largest error. auto: present "
             "with softmax, all with hinge, as in the authors' code.")
        .one_of({"auto", "present", "all"});
    options.add("per_image", &per_image,
                "Compute the loss of each image and average, instead of that of all pixels of the batch together. An "
                "image, or a batch, in which all pixels are ignored has a loss of 0.");
  }
};

class Lovasz final : public sectile::DenseLoss {
 public:
  Lovasz(const LovaszOptions& options, const sectile::BuildContext& context) : per_image_(options.per_image) {
    const bool overlapping = context.labels && context.labels->overlapping;
    if (overlapping && options.mode == Mode::softmax)
      throw sectile::OptionError("mode", "is softmax, and the classes overlap: use hinge or auto");
    hinge_ = overlapping || options.mode == Mode::hinge;
    present_ = options.classes == Classes::automatic ? !hinge_ : options.classes == Classes::present;
  }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto [target, counted] = sectile::class_target(labels, logits);
    if (hinge_) return mean((1 - logits * (2 * target - 1)).clamp_min(0), target, counted);
    const auto probability = logits.softmax(1);
    return mean(target + probability - 2 * target * probability, target, counted);  // |target - probability|
  }
  // Targets between 0 and 1 belong to the class from 0.5 on: the Jaccard loss compares sets.
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    if (!hinge_) return DenseLoss::forward_per_class(logits, labels);
    return forward(logits, (labels >= 0.5).to(labels.scalar_type()).where(labels >= 0, labels));
  }

 private:
  // [N, C, …] → [rows, C, pixels]: a row is an image or the batch.
  at::Tensor rows(const at::Tensor& values) const {
    return per_image_ ? values.flatten(2) : values.movedim(1, 0).flatten(1).unsqueeze(0);
  }

  // errors: at least 0. All are [N, C, …].
  at::Tensor mean(const at::Tensor& errors, const at::Tensor& target, const at::Tensor& counted) const {
    // Without an error, an ignored pixel comes last, where it changes nothing.
    const auto counted_errors = rows(errors * counted);
    const auto truth = rows(target);
    const auto loss = (counted_errors * slopes(counted_errors, truth)).sum(2);  // [rows, C]
    if (!present_) return loss.mean();
    const auto present = truth.sum(2) > 0;
    return ((loss * present).sum(1) / present.sum(1).clamp_min(1)).mean();
  }

  // By how much the Jaccard loss grows with each error: constants, as the extension is linear between two orders of the
  // errors. One class at a time, since sorting takes several times the memory of the errors.
  static at::Tensor slopes(const at::Tensor& errors, const at::Tensor& truth) {
    const at::NoGradGuard constant;
    auto slopes = at::empty_like(errors);
    for (std::int64_t c = 0; c < errors.size(1); ++c) {
      const auto order = std::get<1>(errors.select(1, c).sort(/*stable=*/true, /*dim=*/1, /*descending=*/true));
      const auto inside = truth.select(1, c).gather(1, order).to(at::kLong);
      const auto size = inside.sum(1, /*keepdim=*/true);
      const auto overlap = size - inside.cumsum(1), joined = size + (1 - inside).cumsum(1);
      const auto loss = 1 - overlap.to(at::kDouble) / joined;
      const auto steps = at::cat({loss.narrow(1, 0, 1), loss.diff(1, 1)}, 1);
      slopes.select(1, c).scatter_(1, order, steps.to(slopes.scalar_type()));
    }
    return slopes;
  }

  bool hinge_ = false, present_ = true, per_image_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Lovasz, LovaszOptions>(
                            "lovasz", "Lovász-Softmax, or Lovász hinge where classes overlap: a surrogate for IoU."))
