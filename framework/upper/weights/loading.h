// A file of weights, brought into a network: which of its tensors goes where, and what the user must know about it.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "weights.h"

namespace sectile {

struct LoadReport {
  struct Translation {
    std::string module;  // empty: the network itself
    std::string dialect;
  };
  struct Misfit {
    std::string name;
    std::string file, network;  // "[3, 2]", and "Int [3, 2]" where the types differ
  };
  std::string prefix;                     // of every name of the file, and left out
  std::vector<Translation> translations;  // modules whose own names explained less
  // Names of the network, but `unexpected`: the file's, as they are after prefix and translations.
  std::vector<std::string> loaded;
  std::vector<std::string> adapted;        // to another shape, by WeightRules::adapt
  std::vector<std::string> reinitialized;  // for another number of classes and left as made, by WeightRules::head
  std::vector<std::string> missing, unexpected;
  std::vector<std::string> uncounted;  // batch counters, in a file that has none: PyTorch 0.4.1 brought them
  std::vector<Misfit> misfits;         // of another shape or type, and no rule covers it
};

// Copies what fits. Throws DataError, before anything is written, for a shape or type that no rule covers.
LoadReport load_state(torch::nn::Module& module, const StateDict& file);

struct WeightsFile {
  std::filesystem::path path;
  std::string network;  // as messages name it: "model \"unet\""
  bool strict = true;
};
// Starts a network from a file's weights. Returns what to tell the user; throws DataError, before anything is written,
// for a wrong shape or type, for a file that has no weights for it, and, if strict, for any name that only one of the
// two has.
std::string start_from(torch::nn::Module& module, const StateDict& weights, const WeightsFile& file);

}  // namespace sectile
