#include <sectile/model.h>

#include <cmath>

#include <ATen/ATen.h>

#include <sectile/error.h>

#include "loading/batch.h"
#include "loading/restored_labels.h"

namespace sectile {

namespace {

// A pixel without a number would get the first class, without a word.
void refuse_nan(const at::Tensor& scores, const std::string& id) {
  if (!std::isnan(scores.sum().item<double>()) || !scores.isnan().any().item<bool>()) return;
  throw DataError(id,
                  "the network's outputs are not numbers (NaN): its weights are damaged or of another network, or the "
                  "precision that it computes in is too small");
}

}  // namespace

Model::~Model() = default;

std::vector<Prediction> Model::decode(const Outputs& outputs, const Batch& batch, const Wanted& wanted) const {
  const bool labels_alone = wanted.labels && !wanted.scores && !wanted.overlapping && wanted.named.empty();
  std::vector<Prediction> predictions;
  for (std::size_t n = 0; n < batch.sizes.size(); ++n) {
    Prediction prediction;
    prediction.id = batch.truth[n].id;
    if (labels_alone) prediction.labels = restored_labels(outputs.logits[static_cast<std::int64_t>(n)], batch, n);
    if (prediction.labels.defined()) {
      predictions.push_back(std::move(prediction));
      continue;
    }
    const auto scores = restore(outputs.logits[static_cast<std::int64_t>(n)], batch, n);
    refuse_nan(scores, prediction.id);
    if (wanted.labels) prediction.labels = wanted.overlapping ? scores > 0 : scores.argmax(0);
    if (wanted.scores) prediction.scores = wanted.overlapping ? scores.sigmoid() : scores.softmax(0);
    for (const auto& name : wanted.named)
      prediction.named[name] =
          name == kLogits ? scores : restore(outputs.at(name)[static_cast<std::int64_t>(n)], batch, n);
    predictions.push_back(std::move(prediction));
  }
  return predictions;
}

}  // namespace sectile
