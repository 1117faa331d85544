// Pictures in files. The suffix chooses the format when writing, the first bytes when reading.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/abi.h>

namespace sectile {

using Palette = std::vector<std::array<std::uint8_t, 3>>;  // RGB, by pixel value

struct Picture {
  cv::Mat pixels{};   // H x W, 8U or 16U; 1 grey or palette index, 2 grey and alpha, 3 RGB, 4 RGB and alpha
  Palette palette{};  // not empty: pixels are 8U indexes into it
};

// As the file has it; grey of 1, 2 and 4 bits becomes 8U with the stored values (masks keep their numbers). PNG only. A
// transparent colour or palette entry (tRNS) and a gamma are not applied. What a file states is checked before memory
// is asked for.
// Throws DataError naming the file and what is wrong with it; called from several threads at once.
SECTILE_EXPORT Picture read_picture(const std::filesystem::path& file);

// For networks: 1 or 3 channels, palettes looked up, alpha dropped, grey of 1, 2 and 4 bits scaled to 0..255.
SECTILE_EXPORT cv::Mat read_image(const std::filesystem::path& file);

// Only the header: height and width. Throws DataError.
SECTILE_EXPORT cv::Size read_size(const std::filesystem::path& file);

// 8U or 16U, 1, 3 or 4 channels; with a palette 8U of 1 channel. Written beside and renamed. Throws DataError.
SECTILE_EXPORT void write_png(const std::filesystem::path& file, const cv::Mat& pixels, const Palette& palette = {});

}  // namespace sectile
