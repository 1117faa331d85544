// Focal loss (Lin et al. 2017, "Focal Loss for Dense Object Detection"): cross entropy with a low weight for pixels
// that are already correct.
#include <algorithm>

#include <ATen/TensorOperators.h>
#include <ATen/ops/binary_cross_entropy_with_logits.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros_like.h>

#include <sectile/loss.h>
#include <sectile/roles.h>

namespace {

enum class Activation { automatic, softmax, sigmoid };

struct FocalOptions {
  Activation activation = Activation::automatic;
  double gamma = 2;
  std::vector<double> alpha;

  void declare(sectile::Options& options) {
    options
        .add("activation", &activation,
             "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
             "overlap, else softmax. The loss is the mean over all labelled pixels (softmax), or over all labelled "
             "pixels and classes (sigmoid); 0 if there are none.")
        .one_of({"auto", "softmax", "sigmoid"});
    options
        .add("gamma", &gamma,
             "Focusing parameter: a pixel with probability p of its class has weight (1 - p)^gamma. 0: cross entropy.")
        .at_least(0);
    options
        .add("alpha", &alpha,
             "Class balance: one value for all classes, or one per class. Pixels of the class are weighted by alpha; "
             "with sigmoid, other pixels by 1 - alpha. With softmax, not all may be 0. Empty: no balancing.")
        .at_least(0)
        .at_most(1);
  }
};

// (1 - p)^gamma. The lower limit keeps the gradient finite if p is 1 and gamma is below 1.
at::Tensor modulation(const at::Tensor& missing, double gamma) { return missing.clamp_min(1e-12).pow(gamma); }

at::Tensor mean(const at::Tensor& loss, const at::Tensor& counted) {
  return (loss * counted).sum() / counted.sum().clamp_min(1);
}

class Focal final : public sectile::DenseLoss, public sectile::MeanLoss {
 public:
  Focal(const FocalOptions& options, const sectile::BuildContext& context)
      : gamma_(options.gamma), sigmoid_(options.activation == Activation::sigmoid), classes_(context.classes()) {
    const bool overlapping = context.labels && context.labels->overlapping;
    if (overlapping && options.activation == Activation::softmax)
      throw sectile::OptionError("activation", "is softmax, and the classes overlap: use sigmoid or auto");
    sigmoid_ |= overlapping;
    auto alpha = options.alpha;
    if (alpha.empty()) return;
    const auto classes = static_cast<std::size_t>(context.classes());
    if (!sigmoid_ && std::all_of(alpha.begin(), alpha.end(), [](double of_class) { return of_class == 0; }))
      throw sectile::OptionError("alpha",
                                 "is 0 for all classes, so that nothing would be learned; expected at least one value "
                                 "above 0");
    if (alpha.size() == 1) alpha.assign(classes, alpha.front());
    if (alpha.size() != classes)
      throw sectile::OptionError("alpha", "has " + std::to_string(alpha.size()) + " values, and the dataset has " +
                                              std::to_string(classes) +
                                              " classes: give one value per class, or one for all");
    alpha_ = at::tensor(alpha, at::kDouble);
  }

  double counted(const at::Tensor& labels) const override {
    if (!labels.is_floating_point())
      return (labels != sectile::kIgnore).sum().item<double>() * (sigmoid_ ? classes_ : 1);
    const auto valid = labels >= 0;  // [N, C, …]
    return (sigmoid_ ? valid : valid.all(1)).sum().item<double>();
  }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto counted = (labels != sectile::kIgnore).unsqueeze(1);
    const auto number = labels.clamp_min(0).unsqueeze(1);  // [N, 1, …]
    if (sigmoid_) {
      const auto target = at::zeros_like(logits).scatter_(1, number, 1);
      return mean(binary(logits, target), counted.expand_as(logits));
    }
    const auto log_probability = logits.log_softmax(1).gather(1, number);
    auto loss = -modulation(-log_probability.expm1(), gamma_) * log_probability;
    if (alpha_.defined()) loss = loss * alpha_.to(logits.options()).index({number});
    return mean(loss, counted);
  }

  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto target = labels.clamp_min(0);
    if (sigmoid_) return mean(binary(logits, target), labels >= 0);
    const auto log_probability = logits.log_softmax(1);
    auto loss = -modulation(-log_probability.expm1(), gamma_) * log_probability * target;
    if (alpha_.defined()) loss = loss * alpha_per_class(logits);
    return mean(loss.sum(1, /*keepdim=*/true), (labels >= 0).all(1, /*keepdim=*/true));
  }

 private:
  at::Tensor alpha_per_class(const at::Tensor& logits) const {  // [C, 1, …], broadcasts with [N, C, …]
    std::vector<std::int64_t> shape(static_cast<std::size_t>(logits.dim() - 1), 1);
    shape[0] = -1;
    return alpha_.to(logits.options()).view(shape);
  }

  // target: float [N, C, …] of 0..1.
  at::Tensor binary(const at::Tensor& logits, const at::Tensor& target) const {
    const auto entropy = at::binary_cross_entropy_with_logits(logits, target, {}, {}, at::Reduction::None);
    const auto missing = logits.sigmoid() * (1 - target) + logits.neg().sigmoid() * target;
    const auto loss = modulation(missing, gamma_) * entropy;
    if (!alpha_.defined()) return loss;
    const auto alpha = alpha_per_class(logits);
    return loss * (alpha * target + (1 - alpha) * (1 - target));
  }

  double gamma_;
  bool sigmoid_;
  int classes_;
  at::Tensor alpha_;  // [C]; undefined: no balancing
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Focal, FocalOptions>("focal", "Focal loss over softmax or per-class sigmoid."))
