#include "first_batch.h"

#include <algorithm>
#include <utility>

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

void refuse_single_image(const Pipeline& pipeline, const TrainingPlan& plan) {
  const auto last = static_cast<std::int64_t>(plan.batches()) - 1;
  if (plan.size(last) != 1) return;
  const c10::AutoGradMode no_gradients(false);
  auto sample = pipeline.prepare(plan, last, 0).sample;
  const auto batch = pipeline.placed(pipeline.collate({std::move(sample)}, /*training=*/true));
  set_training(pipeline.model->module(), true);
  try {
    pipeline.forward(batch);
  } catch (const std::exception& error) {
    const bool all = plan.batch == 1;
    throw SpecError(all ? "/train/batch_size" : "/train/drop_last",
                    std::string(all ? "is 1" : "is false, and the last batch of an epoch has a single image") +
                        ", on which this model cannot train (" + error.what() + "); " +
                        (all ? "use 2 or more" : "set it to true, or choose another batch_size"));
  }
}

}  // namespace sectile
