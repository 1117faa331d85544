// The spec of a network that Hugging Face's transformers saved as a folder.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sectile/abi.h>

namespace sectile {

// Whether the folder has a config.json, as save_pretrained writes it.
SECTILE_EXPORT bool is_huggingface_folder(const std::filesystem::path& folder);

struct FolderSpec {
  std::string text;                  // JSON, as of published_spec
  std::vector<std::string> notes{};  // for the user: what the folder does not say, or says in another way
};

// From its config.json and preprocessor_config.json: the model with its options, with the folder as its weights, its
// classes, and the preprocessing as the evaluation transforms. Only SegFormer for semantic segmentation is read.
// Throws DataError with the file and the place in it.
SECTILE_EXPORT FolderSpec huggingface_spec(const std::filesystem::path& folder);

}  // namespace sectile
