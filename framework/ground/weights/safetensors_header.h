// The header of a safetensors file (https://github.com/huggingface/safetensors, format), and the index of weights that
// are split over several files (Hugging Face's *.index.json).
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

struct SafetensorsHeader {
  struct Tensor {
    std::string name;
    std::string dtype;  // "F32"
    std::vector<std::int64_t> shape{};
    std::uint64_t offset = 0;  // of its first byte in the file
    std::uint64_t bytes = 0;
  };
  std::vector<Tensor> tensors;                  // in the order of their bytes
  std::map<std::string, std::string> metadata;  // of "__metadata__"
};

// Bytes of one value: 4 for "F32"; 0 for a type that is not read.
SECTILE_EXPORT std::uint64_t bytes_of_dtype(const std::string& dtype);

// From the whole file's bytes, of which the tensors' are not looked at. Throws std::runtime_error unless the tensors
// lie one after the other, from the header to the end of the file, each as large as its shape and type say; of a type
// that is not read, as large as its offsets say.
SECTILE_EXPORT SafetensorsHeader read_safetensors_header(std::string_view file);

// More tensors are not read from a file of that size, since each takes memory.
SECTILE_EXPORT std::size_t most_tensors(std::uint64_t file_size);

// Whether a tensor can have that name.
SECTILE_EXPORT bool is_utf8(const std::string& text);

// The length, the JSON and the padding that come before the tensors' bytes; their offsets are set here.
SECTILE_EXPORT std::string write_safetensors_header(const std::vector<SafetensorsHeader::Tensor>& tensors,
                                                    const std::map<std::string, std::string>& metadata);

// Which file holds each tensor. Throws std::runtime_error for an index without a "weight_map", and for a file that is
// not in the index's own folder.
SECTILE_EXPORT std::map<std::string, std::string> read_weight_map(const std::string& index);

}  // namespace sectile
