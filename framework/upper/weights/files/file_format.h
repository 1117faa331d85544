// What kind of file is given as weights.
#pragma once

#include <filesystem>

namespace sectile {

enum class WeightsFormat { zip, legacy, safetensors, index };

// By its first bytes, whatever its name is. Throws DataError for all other formats, naming them, and how to convert
// them.
WeightsFormat format_of(const std::filesystem::path& file);

}  // namespace sectile
