// Files of safetensors (https://github.com/huggingface/safetensors).
#pragma once

#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sectile {

struct Safetensors {
  std::map<std::string, at::Tensor> tensors;  // in the file, which is mapped
  // Of them, names that the file leaves out because they share another's tensor: safetensors.torch.save_model writes
  // both names to the metadata, where other entries may look the same.
  std::set<std::string> aliases;
  std::vector<std::string> left_out;  // "scale (of type F8_E8M0)"
};

// Throws DataError.
Safetensors read_safetensors(const std::filesystem::path& file);

// Of several files, by an index *.safetensors.index.json or *.bin.index.json beside them. Throws DataError, also for a
// file without a tensor that the index says it has.
Safetensors read_indexed(const std::filesystem::path& index);

// The files that such an index names. Throws DataError.
std::set<std::filesystem::path> indexed_files(const std::filesystem::path& index);

// Writes a temporary file and renames it. Tensors that share their values are written one by one. Throws DataError,
// also for names that the format cannot hold, and more tensors than are read.
void write_safetensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors);

}  // namespace sectile
