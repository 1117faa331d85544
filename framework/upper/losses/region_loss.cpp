#include <sectile/losses/region_loss.h>

#include <string>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <sectile/data/class_selection.h>
#include <sectile/losses/upsampled_softmax.h>

namespace sectile {

void RegionLossOptions::declare(Options& options) {
  add_activation(
      options, &activation,
      "How logits become probabilities: softmax over classes, or sigmoid per class. auto: sigmoid if classes "
      "overlap, else softmax.");
  options
      .add(
          "over", &over,
          "What areas are summed over before they are compared: the whole batch (of all ranks; of accumulated batches, "
          "each by itself), or each sample, whose losses are then averaged.")
      .one_of({"batch", "sample"});
  options
      .add("absent", &absent,
           "A class that is absent from the labels (of the batch or sample): count its loss, so that false positives "
           "increase it; skip it, and average over the others; or zero: its loss is 0, and it counts in the average.")
      .one_of({"count", "skip", "zero"});
  options.add("include", &include, "Names of the classes to average over, each once. Empty: all.");
}

RegionLoss::RegionLoss(const RegionLossOptions& options, const BuildContext& context, bool squared)
    : options_(options), squared_(squared), sigmoid_(uses_sigmoid(options.activation, context)) {
  if (options.include.empty()) return;
  included_ = at::tensor(class_numbers(options.include, "include", context), at::kLong);
}

void RegionLoss::use(std::shared_ptr<const Ranks> ranks) { ranks_ = std::move(ranks); }

at::Tensor RegionLoss::probabilities(const at::Tensor& logits) const {
  const auto flat = logits.flatten(2);
  return sigmoid_ ? flat.sigmoid() : flat.softmax(1);
}

SoftCounts RegionLoss::of_numbers(const at::Tensor& logits, const at::Tensor& labels) const {
  const auto truth = labels.flatten(1);  // [N, pixels]
  const auto number = truth.clamp_min(0);
  const auto counted = (truth != kIgnore).to(logits.scalar_type());
  const auto per_class = [&](const at::Tensor& values) {
    return at::zeros({logits.size(0), logits.size(1)}, logits.options().dtype(at::kDouble))
        .scatter_add(1, number, values.to(at::kDouble));
  };
  SoftCounts counts;
  counts.truth = per_class(counted);
  counts.pixels = counted.sum(1, /*keepdim=*/true, at::kDouble).expand_as(counts.truth);
  if (!sigmoid_ && !squared_ && takes_upsampled_softmax(logits, labels)) {
    const auto areas = upsampled_areas(logits, labels);
    counts.overlap = areas.overlap, counts.predicted = areas.predicted;
    return counts;
  }
  const auto probability = probabilities(resized_logits(logits, labels.sizes().slice(1)));
  counts.overlap = per_class(probability.gather(1, number.unsqueeze(1)).squeeze(1) * counted);
  counts.predicted =
      at::matmul(squared_ ? probability.square() : probability, counted.unsqueeze(2)).squeeze(2).to(at::kDouble);
  return counts;
}

SoftCounts RegionLoss::per_class_counts(const at::Tensor& logits, const at::Tensor& labels) const {
  const auto truth = labels.flatten(2);
  const auto counted = (truth >= 0).to(logits.scalar_type());
  const auto probability = probabilities(resized_logits(logits, labels.sizes().slice(2))) * counted;
  const auto wanted = truth * counted;
  const auto sum = [](const at::Tensor& values) { return values.sum(2, /*keepdim=*/false, at::kDouble); };
  return {.overlap = sum(probability * wanted),
          .predicted = sum(squared_ ? probability.square() : probability),
          .truth = sum(squared_ ? wanted.square() : wanted),
          .pixels = sum(counted)};
}

at::Tensor RegionLoss::forward(const at::Tensor& logits, const at::Tensor& labels) const {
  return reduced(of_numbers(logits, labels), logits);
}

at::Tensor RegionLoss::forward_per_class(const at::Tensor& logits, const at::Tensor& labels) const {
  return reduced(per_class_counts(logits, labels), logits);
}

at::Tensor RegionLoss::reduced(SoftCounts counts, const at::Tensor& logits) const {
  for (auto* area : {&counts.overlap, &counts.predicted, &counts.truth, &counts.pixels}) {
    if (included_.defined()) *area = area->index_select(1, included_.to(area->device()));
    if (options_.over != RegionLossOptions::Over::batch) continue;
    *area = area->sum(0, /*keepdim=*/true);
    if (ranks_) *area = ranks_->sum(*area);
  }
  return combined(counts).to(logits.scalar_type());
}

at::Tensor RegionLoss::combined(const SoftCounts& counts) const {
  const auto losses = per_class(counts);
  if (options_.absent == RegionLossOptions::Absent::count) return losses.mean();
  const auto present = (counts.truth > 0).to(at::kDouble);
  const auto sum = (losses * present).sum();
  return options_.absent == RegionLossOptions::Absent::zero ? sum / static_cast<double>(losses.numel())
                                                            : sum / present.sum().clamp_min(1);
}

}  // namespace sectile
