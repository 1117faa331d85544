// Makes the checksums of a PNG right, so that a change to it gets past them.
#pragma once

#include <cstdint>
#include <string>

namespace sectile::test {

// Of every whole chunk. Leaves files of other formats as they are.
inline void seal_png(std::string& bytes) {
  if (bytes.substr(0, 4) != "\x89PNG") return;
  const auto number = [&](std::size_t at) {
    std::size_t value = 0;
    for (std::size_t i = 0; i < 4; ++i) value = value << 8 | static_cast<unsigned char>(bytes[at + i]);
    return value;
  };
  for (std::size_t at = 8; at + 12 <= bytes.size();) {
    const std::size_t end = at + 8 + number(at);
    if (end + 4 > bytes.size()) return;
    std::uint32_t crc = ~0u;
    for (std::size_t i = at + 4; i < end; ++i) {
      crc ^= static_cast<unsigned char>(bytes[i]);
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
    for (std::size_t i = 0; i < 4; ++i) bytes[end + i] = static_cast<char>(~crc >> (24 - 8 * i));
    at = end + 4;
  }
}

}  // namespace sectile::test
