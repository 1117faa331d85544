#include <sectile/loss.h>

#include "loading/layout.h"

namespace sectile {

Loss::~Loss() = default;

LossTerms DenseLoss::operator()(const Outputs& outputs, const Batch& batch) const {
  if (!outputs.logits.defined()) throw PluginError("loss", "needs class scores, and the model returns no logits");
  if (!batch.labels.defined()) throw PluginError("loss", "needs labels, and the batch has none");
  const bool per_class = batch.labels.is_floating_point();
  const auto type = outputs.logits.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  auto logits = outputs.logits.to(type);
  if (!at_own_resolution()) logits = interpolate(logits, batch.labels.sizes().slice(per_class ? 2 : 1));
  return {{"", per_class ? forward_per_class(logits, batch.labels.to(type)) : forward(logits, batch.labels)}};
}

at::Tensor DenseLoss::forward_per_class(const at::Tensor&, const at::Tensor&) const {
  throw PluginError("loss",
                    "cannot read labels per class (overlapping classes, soft labels); use one that does: "
                    "cross_entropy, focal, bce, dice");
}

}  // namespace sectile
