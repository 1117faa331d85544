#include "first_batch.h"

#include <algorithm>

#include <ATen/ops/isfinite.h>
#include <c10/core/GradMode.h>

#include "../weights/weights.h"

namespace sectile {
namespace {

bool same_tensors(const std::vector<at::Tensor>& before, const std::vector<at::Tensor>& after) {
  return std::equal(before.begin(), before.end(), after.begin(), after.end(),
                    [](const at::Tensor& a, const at::Tensor& b) { return a.is_same(b); });
}

bool all_finite(const at::Tensor& tensor) { return at::isfinite(tensor).all().item<bool>(); }

}  // namespace

Outputs first_outputs(const Pipeline& pipeline, const Batch& batch) {
  const auto before = parameters_of(pipeline.model->module());
  auto outputs = pipeline.forward(batch);
  const auto fail = [&](const std::string& reason) {
    throw PluginError("/model", "model \"" + pipeline.spec.model.type() + "\" " + reason);
  };
  if (!same_tensors(before, parameters_of(pipeline.model->module())))
    fail(
        "added or replaced parameters in its first forward, which the optimizer does not know: register them in the "
        "constructor");
  const c10::AutoGradMode no_gradients(false);
  if (outputs.logits.defined() && all_finite(batch.images) && !all_finite(outputs.logits))
    fail("returned logits that are not finite (NaN or Inf) for the first batch");
  return outputs;
}

}  // namespace sectile
