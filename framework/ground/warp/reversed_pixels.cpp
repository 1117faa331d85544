#include "reversed_pixels.h"

#include <cstring>
#include <utility>

#include "wide_code.h"

namespace sectile {
namespace {

constexpr std::size_t kSize = 3;
using Bytes16 = std::uint8_t __attribute__((vector_size(16)));
using Bytes64 = std::uint8_t __attribute__((vector_size(64)));

// As many pixels at a time as a vector holds, which leaves one byte: the one before them is read, and the one after
// them is written, and written again.
template <class Vector, std::size_t... Bytes>
SECTILE_INLINE void reverse(const std::uint8_t* from, std::uint8_t* to, std::size_t count,
                            std::index_sequence<Bytes...>) {
  constexpr std::size_t kWidth = sizeof(Vector);
  constexpr std::size_t kPixels = kWidth / kSize;
  static_assert(kWidth == kPixels * kSize + 1);
  constexpr auto source = [](std::size_t byte) {
    return byte + 1 == kWidth ? 0 : 1 + (kPixels - 1 - byte / kSize) * kSize + byte % kSize;
  };
  Vector order = {static_cast<std::uint8_t>(source(Bytes))...};
  std::size_t i = 0;
  for (; i + kPixels < count; i += kPixels) {
    Vector pixels;
    std::memcpy(&pixels, from + (count - i - kPixels) * kSize - 1, kWidth);
    pixels = __builtin_shuffle(pixels, order);
    std::memcpy(to + i * kSize, &pixels, kWidth);
  }
  if constexpr (kWidth > sizeof(Bytes16))
    return reverse<Bytes16>(from, to + i * kSize, count - i, std::make_index_sequence<sizeof(Bytes16)>());
  for (; i < count; ++i) std::memcpy(to + i * kSize, from + (count - 1 - i) * kSize, kSize);
}

void reverse_16(const std::uint8_t* from, std::uint8_t* to, std::size_t count) {
  reverse<Bytes16>(from, to, count, std::make_index_sequence<16>());
}
#if defined(__x86_64__)
SECTILE_AVX2 void reverse_16_with_avx2(const std::uint8_t* from, std::uint8_t* to, std::size_t count) {
  reverse<Bytes16>(from, to, count, std::make_index_sequence<16>());
}
__attribute__((target("avx512f,avx512bw,avx512vbmi"))) void reverse_64(const std::uint8_t* from, std::uint8_t* to,
                                                                       std::size_t count) {
  reverse<Bytes64>(from, to, count, std::make_index_sequence<64>());
}
#endif

}  // namespace

void reverse_three_bytes(const std::uint8_t* from, std::uint8_t* to, std::size_t count) {
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx512vbmi")) return reverse_64(from, to, count);
  if (has_avx2()) return reverse_16_with_avx2(from, to, count);
#endif
  reverse_16(from, to, count);
}

}  // namespace sectile
