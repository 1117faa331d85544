// PNGs that state an EXIF orientation.
#pragma once

#include <filesystem>
#include <fstream>
#include <string>

#include "support/png_checksums.h"
#include "support/scratch.h"

namespace sectile::test {

// orientation: 1 to 8. The pixels of the file stay as they are.
inline void state_orientation(const std::filesystem::path& png, int orientation) {
  std::string exif("MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\0\0\0\0\0\0\0", 26);
  exif[19] = static_cast<char>(orientation);
  auto bytes = contents(png);
  bytes.insert(bytes.rfind("IEND") - 4, std::string("\0\0\0\x1a", 4) + "eXIf" + exif + "????");
  seal_png(bytes);
  std::ofstream(png, std::ios::binary) << bytes;
}

}  // namespace sectile::test
