#include <sectile/nn/backbone_options.h>

namespace sectile::nn {

void BackboneOptions::declare(Options& options, const char* drop_path_help) {
  options
      .add("norm", &norm_kind,
           "Batch norm, or frozen_batch, whose weights and statistics never change: for batches too small to estimate "
           "them.")
      .one_of({"batch", "frozen_batch"});
  options.add("eps", &eps, "Added to the variance in batch norms. Weights need that of the network they are from.")
      .at_least(1e-12)
      .at_most(1);
  options.add("momentum", &momentum, "Momentum of the batch norm statistics.").at_least(0).at_most(1);
  options.add("drop_path_rate", &drop_path_rate, drop_path_help).at_least(0).at_most(0.95);
  options.add("gradient_checkpointing", &gradient_checkpointing,
              "Computes each stage a second time for its gradients instead of keeping what they need: less memory, "
              "longer steps.");
}

double BackboneOptions::drop_path_rate_of(int index, int count) const {
  return count > 1 ? drop_path_rate * index / (count - 1) : drop_path_rate;
}

}  // namespace sectile::nn
