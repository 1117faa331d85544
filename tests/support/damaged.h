// An image whose header is whole and whose pixels are not.
#pragma once

#include <filesystem>

namespace sectile::test {

// Of a PNG: behind the chunk IHDR, of 8 + 25 bytes, comes the first that is of use to no one.
inline void cut_behind_header(const std::filesystem::path& png) {
  constexpr std::uintmax_t kHeader = 8 + 25, kStartOfPixels = 10;
  std::filesystem::resize_file(png, kHeader + kStartOfPixels);
}

}  // namespace sectile::test
