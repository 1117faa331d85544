// Files of safetensors (https://github.com/huggingface/safetensors).
#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

namespace sectile {

struct Safetensors {
  std::map<std::string, at::Tensor> tensors;    // in the file, which is mapped
  std::map<std::string, std::string> metadata;  // "format": "pt"
};

// Names that the file leaves out because they share another's tensor (safetensors.torch.save_model) are there too.
// Throws DataError.
Safetensors read_safetensors(const std::filesystem::path& file);

// Of several files, by an index *.safetensors.index.json or *.bin.index.json beside them. Throws DataError, also for a
// file without a tensor that the index says it has.
std::map<std::string, at::Tensor> read_indexed(const std::filesystem::path& index);

// Writes a temporary file and renames it. Tensors that share their values are written one by one. Throws DataError.
void write_safetensors(const std::filesystem::path& file, const std::map<std::string, at::Tensor>& tensors);

}  // namespace sectile
