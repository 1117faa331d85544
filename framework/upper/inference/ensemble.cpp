#include "ensemble.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <ATen/Functions.h>
#include <ATen/TensorOperators.h>

#include <sectile/transform.h>

#include "../loading/cut_annotation.h"

namespace sectile {
namespace {

Extent scaled(const Extent& size, double scale) {
  const auto side = [&](int pixels) { return std::max(1, static_cast<int>(std::lround(pixels * scale))); };
  return {size.depth, side(size.height), side(size.width)};
}

// One prediction as a weight per class: its scores, or 1 for the predicted class.
at::Tensor shares(const Prediction& prediction, Combination::By by, bool overlapping) {
  if (!prediction.scores.defined())
    throw PluginError("an ensemble",
                      "needs class scores, and the model returns none; use one network without flips and scales");
  if (by == Combination::By::mean) return prediction.scores;
  if (overlapping) return prediction.labels.to(prediction.scores.scalar_type());
  return at::zeros_like(prediction.scores).scatter_(0, prediction.labels.unsqueeze(0), 1);
}

// where: bool […]; undefined: nowhere.
void clear(Prediction& prediction, const at::Tensor& where) {
  if (!where.defined()) return;
  if (auto& labels = prediction.labels; labels.defined())
    labels = labels.masked_fill(where.to(labels.device()), labels.scalar_type() == at::kBool ? 0 : kIgnore);
  if (auto& scores = prediction.scores; scores.defined()) scores = scores.masked_fill(where.to(scores.device()), 0);
  if (const auto logits = prediction.named.find(kLogits); logits != prediction.named.end())
    logits->second = logits->second.masked_fill(where.to(logits->second.device()), std::nan(""));
  cut_objects(where, prediction.instances);
}

}  // namespace

Ensemble::Ensemble(std::vector<const Network*> networks, const Combination& how)
    : networks_(std::move(networks)), by_(how.by) {
  for (const double scale : how.scales)
    if (!(scale > 0 && scale <= 16))
      throw SpecError("scales", std::to_string(scale) + " is not a valid scale: use numbers above 0 and up to 16");
  for (const double scale : how.scales.empty() ? std::vector<double>{1} : how.scales) {
    views_.push_back({scale, false});
    if (how.flip) views_.push_back({scale, true});
  }
  for (const auto* other : networks_)
    if (const auto difference = other->context.labels->difference(*first().context.labels); !difference.empty())
      throw DataError("an ensemble", "its networks have other classes, " + other->context.labels->text() + " and " +
                                         first().context.labels->text() + ": " + difference);
}

std::vector<Batch> Ensemble::prepare(const Transformed& transformed) const {
  std::vector<Batch> batches;
  for (const auto* network : networks_) {
    const auto sample = transformed(*network);
    for (const auto& view : views_) {
      std::vector<Sample> one{sample};
      const auto size = extent(sample.image);
      if (view.scale != 1) apply(Warp::resize(size, scaled(size, view.scale)), one[0]);
      if (view.flip) apply(Warp::flip(extent(one[0].image), 0), one[0]);
      try {
        batches.push_back(network->collate(std::move(one)));
      } catch (const DataError& error) {
        if (view.scale == 1) throw;
        throw DataError("at scale " + std::to_string(view.scale), error.what());
      }
    }
  }
  return batches;
}

at::Tensor Ensemble::cut_off(const std::vector<Batch>& batches) {
  at::Tensor all;
  for (const auto& batch : batches) {
    const auto one = sectile::cut_off(batch, 0);
    if (!one.defined()) return {};
    all = all.defined() ? all.logical_and(one) : one;
  }
  return all;
}

Prediction Ensemble::predict(std::vector<Batch> batches, const Wanted& wanted) const {
  const auto unseen = cut_off(batches);
  if (alone()) {
    auto prediction = std::move(first().predict(std::move(batches.front()), wanted).at(0));
    clear(prediction, unseen);
    return prediction;
  }
  if (wanted.instances || wanted.segments || !wanted.named.empty())
    throw PluginError("an ensemble", "joins class scores alone: no objects, segments or other outputs");
  auto each = wanted;
  each.scores = true;
  each.labels = by_ == Combination::By::vote;
  Prediction joined;
  at::Tensor sum;
  for (std::size_t i = 0; i < batches.size(); ++i) {
    const auto unseen_here = sectile::cut_off(batches[i], 0);
    auto one = std::move(networks_[i / views_.size()]->predict(std::move(batches[i]), each).at(0));
    auto share = shares(one, by_, wanted.overlapping);
    if (unseen_here.defined()) share = share.masked_fill(unseen_here.to(share.device()), 0);
    sum = sum.defined() ? sum.add_(share.to(sum.device())) : share.clone();
    if (i == 0) joined.id = one.id;
  }
  sum.div_(static_cast<double>(batches.size()));
  if (wanted.labels) joined.labels = wanted.overlapping ? sum > 0.5 : sum.argmax(0);
  if (wanted.scores) joined.scores = sum;
  clear(joined, unseen);
  return joined;
}

}  // namespace sectile
