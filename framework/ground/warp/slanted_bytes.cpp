// Linear interpolation of 8-bit pixels of 3 or 4 channels in whole numbers, four pixels of the result at a time.
#include <algorithm>

#include "slanted_blends.h"
#include "wide_code.h"

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace sectile {
#if defined(__x86_64__)
namespace {

constexpr int kBits = 14;  // of weights, which are 16-bit numbers: with a sign, and 1 is one of them
constexpr int kOne = 1 << kBits, kHalf = kOne / 2;

// Of each pixel, two weights in one number: of the two neighbors above, and of the two below. The four are one
// together.
SECTILE_AVX2 void pack_weights(const SlantedRow& row, std::size_t count, std::int32_t* above, std::int32_t* below) {
  const float *rights = row.right.data(), *downs = row.down.data();
#pragma GCC ivdep
  for (std::size_t i = 0; i < count; ++i) {
    const float right = rights[i], down = downs[i];
    const auto whole = [](float part) { return static_cast<int>(part * kOne + 0.5f); };
    const int top_right = whole(right * (1 - down)), bottom = whole((1 - right) * down),
              bottom_right = whole(right * down);
    const int top = kOne - top_right - bottom - bottom_right;
    above[i] = (top & 0xffff) | (top_right << 16);
    below[i] = bottom | (bottom_right << 16);
  }
}

template <int Channels>
void blend_pixel(const std::uint8_t* at, const SourcePixels& from, std::int32_t above, std::int32_t below,
                 std::uint8_t* to) {
  const auto *right = at + from.right, *bottom = at + from.down, *bottom_right = right + from.down;
  const int of_top = static_cast<std::int16_t>(above), of_right = above >> 16;
  const int of_bottom = below & 0xffff, of_bottom_right = below >> 16;
  for (int c = 0; c < Channels; ++c)
    to[c] = static_cast<std::uint8_t>(
        (of_top * at[c] + of_right * right[c] + of_bottom * bottom[c] + of_bottom_right * bottom_right[c] + kHalf) >>
        kBits);
}

// Two pixels from each of which 16 bytes are read.
SECTILE_AVX2 inline __m256i pixels(const std::uint8_t* one, const std::uint8_t* other) {
  return _mm256_inserti128_si256(_mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(one))),
                                 _mm_loadu_si128(reinterpret_cast<const __m128i*>(other)), 1);
}

template <int Channels>
SECTILE_AVX2 void blend(const SourcePixels& from, SlantedRow& row, std::size_t count, const std::uint8_t* fill,
                        std::uint8_t* to) {
  constexpr int kPixels = 4, kRead = 16;
  row.packed.resize(2 * row.first.size());
  std::int32_t *above = row.packed.data(), *below = above + count;
  pack_weights(row, count, above, below);
  const std::int32_t* first = row.first.data();
  const auto each = [&](std::size_t begin, std::size_t end) {
    for (std::size_t i = begin; i < end; ++i)
      if (first[i] < 0)
        std::copy_n(fill, Channels, to + i * Channels);
      else
        blend_pixel<Channels>(from.data + first[i], from, above[i], below[i], to + i * Channels);
  };
  const std::ptrdiff_t last_read = from.bytes - from.down - kRead;
  const auto last = static_cast<std::int32_t>(std::max<std::ptrdiff_t>(last_read, -1));
  // Without a neighbor at the right or below there are no pairs.
  const bool pairs = from.right != 0 && from.down != 0;
  // Bytes become pairs of 16-bit numbers: each channel of a pixel and of the one at its right.
  constexpr char z = -1;
  const auto order =
      _mm256_broadcastsi128_si256(Channels == 3 ? _mm_setr_epi8(0, z, 3, z, 1, z, 4, z, 2, z, 5, z, z, z, z, z)
                                                : _mm_setr_epi8(0, z, 4, z, 1, z, 5, z, 2, z, 6, z, 3, z, 7, z));
  const auto lower = _mm256_setr_epi32(0, 0, 0, 0, 1, 1, 1, 1), upper = _mm256_setr_epi32(2, 2, 2, 2, 3, 3, 3, 3);
  const auto half = _mm256_set1_epi32(kHalf);
  const auto dense = Channels == 3 ? _mm_setr_epi8(0, 1, 2, 8, 9, 10, 4, 5, 6, 12, 13, 14, z, z, z, z)
                                   : _mm_setr_epi8(0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15);
  std::size_t i = 0;
  // 16 bytes are written, of which the next pixels are written again.
  for (; pairs && (i + kPixels) * Channels + (kRead - kPixels * Channels) <= count * Channels; i += kPixels) {
    const std::int32_t a = first[i], b = first[i + 1], c = first[i + 2], d = first[i + 3];
    if ((a | b | c | d) < 0 || std::max(std::max(a, b), std::max(c, d)) > last) {
      each(i, i + kPixels);
      continue;
    }
    const auto* at = from.data;
    const auto* under = from.data + from.down;
    const auto weights_above = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(above + i)));
    const auto weights_below = _mm256_castsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(below + i)));
    const auto top_ab = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels(at + a, at + b), order),
                                          _mm256_permutevar8x32_epi32(weights_above, lower));
    const auto bottom_ab = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels(under + a, under + b), order),
                                             _mm256_permutevar8x32_epi32(weights_below, lower));
    const auto top_cd = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels(at + c, at + d), order),
                                          _mm256_permutevar8x32_epi32(weights_above, upper));
    const auto bottom_cd = _mm256_madd_epi16(_mm256_shuffle_epi8(pixels(under + c, under + d), order),
                                             _mm256_permutevar8x32_epi32(weights_below, upper));
    const auto ab = _mm256_srai_epi32(_mm256_add_epi32(_mm256_add_epi32(top_ab, bottom_ab), half), kBits);
    const auto cd = _mm256_srai_epi32(_mm256_add_epi32(_mm256_add_epi32(top_cd, bottom_cd), half), kBits);
    const auto words = _mm256_packs_epi32(ab, cd);  // a c, b d
    const auto bytes = _mm_packus_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(to + i * Channels), _mm_shuffle_epi8(bytes, dense));
  }
  each(i, count);
}

}  // namespace
#endif

BlendRow<std::uint8_t> linear_blend_of_bytes(int channels) {
#if defined(__x86_64__)
  if (has_avx2() && channels == 3) return blend<3>;
  if (has_avx2() && channels == 4) return blend<4>;
#endif
  (void)channels;
  return nullptr;
}

}  // namespace sectile
