// What wrappers of a network leave in its state dict, undone.
#pragma once

#include <string>
#include <vector>

#include "weights.h"

namespace sectile {

struct Unwrapped {
  StateDict state;
  bool compiled = false;                  // names had the mark of torch.compile
  std::vector<std::string> weight_norms;  // weights that were computed from their direction and length
};

// Removes "_orig_mod." of torch.compile wherever it stands in a name, and replaces the pairs of weight norm
// (torch.nn.utils.weight_norm and its parametrization) by their weight, g * v / |v|.
Unwrapped unwrap(StateDict file);

}  // namespace sectile
