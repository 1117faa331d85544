// Named tensors from a file of any supported format.
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sectile {

struct WeightsContent {
  std::string format;  // "torch.save", "torch.save before PyTorch 1.6", "TorchScript", "safetensors"
  std::map<std::string, at::Tensor> state;
  std::string key;                       // of the dictionary that they are from: "state_dict"; empty: the top level
  std::vector<std::string> keys;         // of all dictionaries with tensors, which may be asked for
  std::vector<std::string> not_tensors;  // other entries of the dictionary, such as a counter: they are left out
  std::vector<std::string> left_out;     // tensors of the dictionary that are not read: "mask (a sparse tensor)"
  std::vector<std::string> elsewhere;    // other parts of the file with tensors: "ema", "optimizer/state"
  std::set<std::string> spare;           // of the state, what a network need not have: see WeightsFile
  std::set<std::string> not_called;      // as in TorchFile
  bool checkpoint = false;               // Sectile's own
  std::vector<std::string> classes;      // of a Sectile checkpoint, by name
  bool averaged = false;                 // a Sectile checkpoint's moving average, which its metrics are of
};

// key: of the dictionary with the weights, such as "state_dict", or "model/ema" of one in another, or the first part of
// the names of some, "student" of "student.conv.weight"; empty: the usual ones; ".": all tensors of the file, also of
// lists ("optimizer.state.0.exp_avg"). Throws DataError for a file without tensors there, for two tensors of one name,
// and for other formats, naming them and how to convert them.
WeightsContent read_weights(const std::filesystem::path& file, const std::string& key = {});

// The files that are opened for it: one, or an index and those that it names. Throws DataError.
std::set<std::filesystem::path> files_of_weights(const std::filesystem::path& file_or_folder);

}  // namespace sectile
