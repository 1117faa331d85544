// A running mean of a network's weights, which often does better than the weights themselves (Polyak and Juditsky 1992;
// as timm's ModelEmaV3 keeps it: buffers are averaged too, counters copied).
#pragma once

#include <cstdint>

#include "weights.h"

namespace sectile {

class Ema {
 public:
  // Begins with the weights as they are. The module must outlive it.
  Ema(torch::nn::Module& module, double decay, bool warmup);

  void update(std::int64_t step);  // after step 0, 1, …

  StateDict state() const;            // shared with it
  void load(const StateDict& state);  // throws DataError unless it has the same tensors

  // While it lives, the module holds the means.
  class Scope {
   public:
    explicit Scope(Ema* ema) : ema_(ema) { swap(); }  // null: nothing changes
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
