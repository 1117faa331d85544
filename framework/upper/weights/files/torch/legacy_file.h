// Files of torch.save before PyTorch 1.6: five pickles, then the values of the storages one after the other
// (torch.serialization._legacy_save).
#pragma once

#include <string_view>

#include "../mapped_file.h"
#include "torch_file.h"

namespace sectile {

bool is_legacy(std::string_view bytes);

// Throws std::runtime_error.
TorchFile read_legacy(const MappedFile& file);

}  // namespace sectile
