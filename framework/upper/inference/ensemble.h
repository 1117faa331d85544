// Several networks, and several views of an image, as one predictor.
#pragma once

#include <functional>
#include <vector>

#include <sectile/session.h>

#include "../network/network.h"

namespace sectile {

// Predictions of all networks and views are averaged, or vote. One network without further views predicts as it does
// alone, with all that it can give; otherwise there are labels and scores, and nothing else.
class Ensemble {
 public:
  // They must outlive it, have the same classes and, where there are several, give class scores. Throws DataError,
  // SpecError.
  explicit Ensemble(std::vector<const Network*> networks, const Combination& how = {});
  Ensemble(const Network& network) : Ensemble(std::vector{&network}) {}  // NOLINT: a network is an ensemble of one

  const Network& first() const { return *networks_.front(); }
  const std::vector<const Network*>& networks() const { return networks_; }

  // One batch for each network and view. transformed: the sample after a network's own transforms of evaluation.
  // Called from several threads at once.
  using Transformed = std::function<Sample(const Network&)>;
  std::vector<Batch> prepare(const Transformed& transformed) const;

  // batches: what prepare() made. Called from several threads at once. Throws PluginError where class scores are needed
  // and a network gives none.
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
