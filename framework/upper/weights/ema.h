// Exponential moving average of a network's weights, which often performs better than the weights (Polyak and Juditsky
// 1992; as in timm's ModelEmaV3: buffers are averaged too, counters copied).
#pragma once

#include <cstdint>

#include "weights.h"

namespace sectile {

class Ema {
 public:
  // Starts with the current weights. The module must outlive it.
  Ema(torch::nn::Module& module, double decay, bool warmup);

  void update(std::int64_t step);  // after step 0, 1, …

  StateDict state() const;            // shared with it
  void load(const StateDict& state);  // throws DataError unless it has the same tensors

  // During its lifetime, the module has the averaged weights.
  class Scope {
   public:
    explicit Scope(Ema* ema) : ema_(ema) { swap(); }  // null: no effect
    ~Scope() { swap(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;

   private:
    void swap();
    Ema* ema_;
  };

 private:
  const double decay_;
  const bool warmup_;
  std::vector<std::string> names_;
  std::vector<at::Tensor> weights_, means_;
};

}  // namespace sectile
