// Soft Dice loss: the smallest complete plugin of use, and one whose statistics span the whole batch of all ranks.
#include <ATen/TensorOperators.h>
#include <ATen/ops/one_hot.h>

#include <sectile/loss.h>
#include <sectile/roles.h>

namespace {

enum class Reduction { mean, sum };

struct DiceOptions {
  double smooth = 1.0;
  Reduction reduction = Reduction::mean;

  void declare(sectile::Options& options) {
    options.add("smooth", &smooth, "Added to both terms, so that an absent class does not divide by zero.").at_least(0);
    options.add("reduction", &reduction, "How the classes are combined.").one_of({"mean", "sum"});
  }
};

class Dice final : public sectile::DenseLoss, public sectile::AcrossRanks {
 public:
  explicit Dice(const DiceOptions& options) : options_(options) {}

  void use(std::shared_ptr<const sectile::Ranks> ranks) override { ranks_ = std::move(ranks); }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto counts = (labels != sectile::kIgnore).unsqueeze(1);
    const auto wanted = at::one_hot(labels.clamp_min(0), logits.size(1)).movedim(-1, 1);
    return dice(logits.softmax(1) * counts, wanted * counts);
  }
  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto counts = labels >= 0;
    return dice(logits.sigmoid() * counts, labels * counts);
  }

 private:
  at::Tensor dice(const at::Tensor& predicted, const at::Tensor& wanted) const {
    const auto total = [this](const at::Tensor& values) {  // [N, C, …] → [C]
      const auto sum = values.transpose(0, 1).flatten(1).sum(1);
      return ranks_ ? ranks_->sum(sum) : sum;
    };
    const auto loss =
        1 - (2 * total(predicted * wanted) + options_.smooth) / (total(predicted) + total(wanted) + options_.smooth);
    return options_.reduction == Reduction::mean ? loss.mean() : loss.sum();
  }

  DiceOptions options_;
  std::shared_ptr<const sectile::Ranks> ranks_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Dice, DiceOptions>("dice", "Soft Dice over softmax or per-class sigmoid."))
