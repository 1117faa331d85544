// Loading a weights file into a network: which tensor goes where, and notes for the user.
#pragma once

#include <filesystem>
#include <set>
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
  bool compiled = false;                  // names had the mark of torch.compile, which was removed
  std::string prefix;                     // of all names of the file, removed
  std::vector<Translation> translations;  // modules whose own names matched less
  // Names of the network, but `unexpected`: the file's, as they are after prefix and translations.
  std::vector<std::string> loaded;
  std::vector<std::string> adapted;  // to another shape, by WeightRules::adapt or image_convs
  std::vector<std::string> missing, unexpected;
  std::vector<std::string> without;  // missing, of WeightRules::optional_layers
  // Of optional layers that this network does not have, transient buffers, and counters of norms that are frozen here.
  std::vector<std::string> ignored;
  std::vector<std::string> reversed;      // input channels, because they are of BGR images
  std::vector<std::string> tied;          // missing in the file, with values of another name: the network shares them
  std::vector<std::string> weight_norms;  // the file's, computed from their direction and length
  std::vector<std::string> uncounted;     // batch counters missing in the file: PyTorch 0.4.1 added them
  std::vector<Misfit> reinitialized;      // initial weights kept for another number of classes, by WeightRules::head
  std::vector<Misfit> misfits;            // of another shape or type, without a rule for it
};

// Copies matching tensors. Throws DataError, before anything is written, for a shape or type without a rule.
LoadReport load_state(torch::nn::Module& module, const StateDict& file);

struct WeightsFile {
  std::filesystem::path path;
  std::string network;  // its name in messages: "model \"unet\""
  bool strict = true;
  WeightsChannels channels = WeightsChannels::rgb;
  // Names that the network need not know, even if strict: other names of the same tensor, and those of a TorchScript
  // archive, whose tensors may be neither parameters nor buffers.
  std::set<std::string> spare{};
  bool whole = false;  // the network is not trained: no parameter may keep its initial values
};
// Initializes a network from a weights file. Throws DataError, before anything is written, for a wrong shape or type,
// for a file without any weights for the network, for one of BGR images without the weights of a convolution of
// 3-channel images, for what is not whole, and, if strict, for missing and unexpected names. Returns a note for the
// user.
std::string start_from(torch::nn::Module& module, const StateDict& weights, const WeightsFile& file);

}  // namespace sectile
