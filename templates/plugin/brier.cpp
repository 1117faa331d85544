// Brier loss: the squared distance between predicted probabilities and the truth. A complete plugin to start from; read
// it from the bottom up: the last line is what the host reads.

// Includes single operators of LibTorch, so that this file compiles in seconds; torch/torch.h takes 15 seconds.
#include <ATen/TensorOperators.h>
#include <ATen/ops/one_hot.h>

// The only header of Sectile that a loss needs. Other kinds have model.h, dataset.h, metric.h, transform.h and so on.
#include <sectile/loss.h>

namespace {

// The options of this loss in a spec, declared once. Defaults are the members' initial values; parsing, messages,
// `sectile describe` and the JSON Schema are generated from this list.
struct BrierOptions {
  double label_smoothing = 0.0;

  void declare(sectile::Options& options) {
    options.add("label_smoothing", &label_smoothing, "Share of the truth that is spread evenly over all classes.")
        .at_least(0)
        .at_most(1);
  }
};

class Brier final : public sectile::DenseLoss {
 public:
  // The host calls the constructor that exists: with the options, the context of the run (classes, task), both, or no
  // arguments.
  explicit Brier(const BrierOptions& options) : options_(options) {}

 protected:
  // logits: float [N, C, …], from the model. labels: int64 [N, …], class numbers or sectile::kIgnore. Returns a scalar
  // that has a gradient even if all pixels are ignored: hence the sum, and a divisor of at least 1.
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto counts = labels != sectile::kIgnore;  // [N, …]
    const auto classes = logits.size(1);
    const auto truth = at::one_hot(labels.clamp_min(0), classes).movedim(-1, 1).to(logits.scalar_type());
    const auto smooth = options_.label_smoothing;
    const auto wanted = truth * (1 - smooth) + smooth / static_cast<double>(classes);
    const auto distance = (logits.softmax(1) - wanted).square().sum(1);  // [N, …]
    return (distance * counts).sum() / counts.sum().clamp_min(1);
  }

 private:
  BrierOptions options_;
};

}  // namespace

// Version of the plugin; then its components: class, options, the name that specs use, and one line for `sectile list`.
SECTILE_PLUGIN("1.0.0", sectile::loss<Brier, BrierOptions>("brier", "Squared distance of probabilities to the truth."))
