// Soft Dice loss (Milletari et al. 2016, "V-Net"): the overlap of predicted and true areas, per class. Sums are over
// the whole batch of all ranks, or per sample as an option.
#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/zeros.h>

#include <sectile/loss.h>
#include <sectile/roles.h>

namespace {

enum class Activation { automatic, softmax, sigmoid };
enum class Over { batch, sample };
enum class Absent { count, skip };

struct DiceOptions {
  Activation activation = Activation::automatic;
  double smooth = 1.0;
  Over over = Over::batch;
  Absent absent = Absent::count;
  std::vector<std::string> include;

  void declare(sectile::Options& options) {
    options
        .add("activation", &activation,
             "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
             "overlap, else softmax.")
        .one_of({"auto", "softmax", "sigmoid"});
    options
        .add("smooth", &smooth,
             "Smoothing term added to the numerator and denominator of 2 * overlap / (predicted + true), in pixels. "
             "Larger values reduce the influence of small and absent classes.")
        .at_least(0);
    options.add("over", &over, "Compute the loss over the whole batch (all ranks together), or per sample and average.")
        .one_of({"batch", "sample"});
    options
        .add("absent", &absent,
             "How to treat a class that is absent from the labels (of the batch or sample): count it, so that false "
             "positives increase the loss, or skip it.")
        .one_of({"count", "skip"});
    options.add("include", &include, "Class names to average over. Empty: all.");
  }
};

// Per sample and class: [N, C], float64, because a volume has too many pixels for a float32 sum.
struct Areas {
  at::Tensor overlap, predicted, wanted;
};

class Dice final : public sectile::DenseLoss, public sectile::AcrossRanks {
 public:
  Dice(const DiceOptions& options, const sectile::BuildContext& context)
      : options_(options), sigmoid_(options.activation == Activation::sigmoid) {
    const bool overlapping = context.labels && context.labels->overlapping;
    if (overlapping && options.activation == Activation::softmax)
      throw sectile::OptionError("activation", "is softmax, and the classes overlap: use sigmoid or auto");
    sigmoid_ |= overlapping;
    for (std::size_t i = 0; i < options.include.size(); ++i)
      included_.push_back(context.class_number(options.include[i], "include/" + std::to_string(i)));
  }

  void use(std::shared_ptr<const sectile::Ranks> ranks) override { ranks_ = std::move(ranks); }

 protected:
  at::Tensor forward(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto probability = probabilities(logits);  // [N, C, pixels]
    const auto truth = labels.flatten(1);            // [N, pixels]
    const auto counted = (truth != sectile::kIgnore).to(logits.scalar_type());
    const auto number = truth.clamp_min(0);
    const auto hit = probability.gather(1, number.unsqueeze(1)).squeeze(1) * counted;
    const auto per_class = [&](const at::Tensor& values) {
      return at::zeros({logits.size(0), logits.size(1)}, logits.options().dtype(at::kDouble))
          .scatter_add(1, number, values.to(at::kDouble));
    };
    const auto predicted = at::matmul(probability, counted.unsqueeze(2)).squeeze(2);
    return dice({per_class(hit), predicted.to(at::kDouble), per_class(counted)}).to(logits.scalar_type());
  }

  at::Tensor forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const override {
    const auto truth = labels.flatten(2);
    const auto counted = (truth >= 0).to(logits.scalar_type());
    const auto probability = probabilities(logits) * counted;
    const auto wanted = truth * counted;
    const auto sum = [](const at::Tensor& values) { return values.sum(2, /*keepdim=*/false, at::kDouble); };
    return dice({sum(probability * wanted), sum(probability), sum(wanted)}).to(logits.scalar_type());
  }

 private:
  at::Tensor probabilities(const at::Tensor& logits) const {
    const auto flat = logits.flatten(2);
    return sigmoid_ ? flat.sigmoid() : flat.softmax(1);
  }

  at::Tensor dice(Areas areas) const {
    if (options_.over == Over::batch) {
      const auto total = [this](at::Tensor& area) {
        area = area.sum(0, /*keepdim=*/true);
        if (ranks_) area = ranks_->sum(area);
      };
      total(areas.overlap), total(areas.predicted), total(areas.wanted);
    }
    const auto size = areas.predicted + areas.wanted + options_.smooth;
    const auto nothing = size == 0;  // neither predicted nor true: a perfect match
    const auto loss = 1 - (2 * areas.overlap + options_.smooth + nothing) / (size + nothing);
    auto kept = (options_.absent == Absent::skip ? areas.wanted > 0 : areas.wanted >= 0).to(at::kDouble);
    if (!included_.empty()) {
      auto mask = at::zeros({kept.size(1)}, kept.options());
      for (const auto number : included_) mask[number].fill_(1);
      kept = kept * mask;
    }
    return (loss * kept).sum() / kept.sum().clamp_min(1);
  }

  DiceOptions options_;
  bool sigmoid_;
  std::vector<std::int64_t> included_;
  std::shared_ptr<const sectile::Ranks> ranks_;
};

}  // namespace

SECTILE_PLUGIN("1.0.0", sectile::loss<Dice, DiceOptions>("dice", "Soft Dice over softmax or per-class sigmoid."))
