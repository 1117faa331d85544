// What a file of weights must look like where no published hash says whether it is the right one.
#pragma once

#include <filesystem>
#include <string>

namespace sectile {

// Why the file is no whole file of weights, as far as that can be seen without reading its tensors: "is empty". Empty
// if nothing speaks against it: a zip archive with its end, a pickle (torch.save before PyTorch 1.6), or safetensors
// whose tensors fill the file. Throws DataError if it cannot be read.
std::string contents_problem(const std::filesystem::path& file);

}  // namespace sectile
