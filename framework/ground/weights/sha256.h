// SHA-256 (FIPS 180-4).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>

namespace sectile {

class Sha256 {
 public:
  void update(const void* bytes, std::size_t count);
  std::string hex();  // 64 lower-case digits; ends the message

 private:
  void block(const std::uint8_t* bytes);

  std::array<std::uint32_t, 8> state_{0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                      0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  std::array<std::uint8_t, 64> waiting_{};  // bytes of a block that is not full
  std::uint64_t count_ = 0;                 // bytes of the whole message
};

// Of a file's contents. Throws DataError if it cannot be read.
std::string sha256_of(const std::filesystem::path& file);

}  // namespace sectile
