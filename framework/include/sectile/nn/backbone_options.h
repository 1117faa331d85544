// Options that convolutional backbones have in common.
#pragma once

#include <sectile/nn/conv_norm_act.h>
#include <sectile/options.h>

namespace sectile::nn {

// For a backbone's options to derive from; its `declare` calls this one.
struct SECTILE_EXPORT BackboneOptions {
  // eps and momentum: of the original's batch norm.
  explicit BackboneOptions(double original_eps = 1e-5, double original_momentum = 0.1)
      : eps(original_eps), momentum(original_momentum) {}

  enum class NormKind { batch, frozen_batch };
  NormKind norm_kind = NormKind::batch;
  double eps;
  double momentum;
  double drop_path_rate = 0;            // of the last block; the first one's is 0, and it rises evenly
  bool gradient_checkpointing = false;  // of each stage

  // drop_path_help: for a backbone with another rule of stochastic depth than drop_path_rate_of.
  void declare(Options& options, const char* drop_path_help = kRisingDropPath);
  Norm norm() const { return norm_kind == NormKind::batch ? Norm::batch : Norm::frozen_batch; }

  // Of one of `count` blocks: drop_path_rate * index / (count - 1), as in timm.
  double drop_path_rate_of(int index, int count) const;

 private:
  static constexpr const char* kRisingDropPath =
      "Stochastic depth in training: the probability that the last residual block is skipped, which rises evenly from "
      "0 at the first.";
};

}  // namespace sectile::nn
