// Several networks, and several views of an image, as one predictor.
#pragma once

#include <functional>
#include <vector>

#include <sectile/session.h>

#include "../network/network.h"

namespace sectile {

// Predictions of all networks and views are averaged, or vote. A single network without further views returns its full
// prediction; otherwise there are only labels and scores.
class Ensemble {
 public:
  // The networks must outlive it, have the same classes and, if there are several, compute class scores. Throws
  // DataError, SpecError.
  explicit Ensemble(std::vector<const Network*> networks, const Combination& how = {});
  Ensemble(const Network& network) : Ensemble(std::vector{&network}) {}  // NOLINT: a network is an ensemble of one

  const Network& first() const { return *networks_.front(); }
  const std::vector<const Network*>& networks() const { return networks_; }

  // One batch per network and view. transformed: the sample after a network's own evaluation transforms. Called from
  // several threads at once.
  using Transformed = std::function<Sample(const Network&)>;
  std::vector<Batch> prepare(const Transformed& transformed) const;

  // The pixels of the file that no network sees, because the transforms cut them off: bool […]; undefined if there are
  // none.
  static at::Tensor cut_off(const std::vector<Batch>& batches);

  // batches: from prepare(). Pixels that are cut off get no class: kIgnore, scores of 0, and logits of NaN. Called from
  // several threads at once. Throws PluginError if class scores are needed and a network has none.
  Prediction predict(std::vector<Batch> batches, const Wanted& wanted) const;

 private:
  bool alone() const { return networks_.size() == 1 && views_.size() == 1; }

  struct View {
    double scale = 1;
    bool flip = false;  // left and right
  };
  std::vector<const Network*> networks_;
  std::vector<View> views_;
  Combination::By by_;
};

}  // namespace sectile
