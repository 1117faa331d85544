#include "slanted_blends.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "wide_code.h"

namespace sectile {
namespace {

// To the nearest integer, in a form that compilers vectorize: see round_to() of separable_warp.cpp.
using Floats = float __attribute__((vector_size(16)));
using Ints = std::int32_t __attribute__((vector_size(16)));
constexpr float kRounder = 12582912.f;

template <class T>
SECTILE_INLINE T rounded(float value) {
  if constexpr (std::is_same_v<T, float>)
    return value;
  else
    return static_cast<T>(std::bit_cast<std::int32_t>(value + kRounder) - std::bit_cast<std::int32_t>(kRounder));
}

// Small integers become floats by bytes that are put in place: GCC 12 would convert one value at a time.
static_assert(std::endian::native == std::endian::little);
using Bytes = std::uint8_t __attribute__((vector_size(16)));

SECTILE_INLINE Ints widened(std::uint8_t, Bytes values) {
  constexpr std::uint8_t z = 16;  // of the zeros
  return std::bit_cast<Ints>(__builtin_shuffle(values, Bytes{}, Bytes{0, z, z, z, 1, z, z, z, 2, z, z, z, 3, z, z, z}));
}
SECTILE_INLINE Ints widened(std::uint16_t, Bytes values) {
  constexpr std::uint8_t z = 16;
  return std::bit_cast<Ints>(__builtin_shuffle(values, Bytes{}, Bytes{0, 1, z, z, 2, 3, z, z, 4, 5, z, z, 6, 7, z, z}));
}
SECTILE_INLINE Ints widened(std::int16_t, Bytes values) {
  constexpr std::uint8_t z = 16;
  const auto high = __builtin_shuffle(values, Bytes{}, Bytes{z, z, 0, 1, z, z, 2, 3, z, z, 4, 5, z, z, 6, 7});
  return std::bit_cast<Ints>(high) >> 16;
}

template <class T>
SECTILE_INLINE Floats four(const std::uint8_t* from) {
  if constexpr (std::is_same_v<T, float>) {
    Floats values;
    std::memcpy(&values, from, sizeof values);
    return values;
  } else {
    Bytes values{};
    std::memcpy(&values, from, 4 * sizeof(T));
    return __builtin_convertvector(widened(T{}, values), Floats);
  }
}

template <class T, int Channels>
SECTILE_INLINE void store(Floats value, T* to) {
  if constexpr (std::is_same_v<T, float>) {
    std::memcpy(to, &value, Channels * sizeof(T));
  } else {
    const auto bytes =
        std::bit_cast<Bytes>(std::bit_cast<Ints>(value + kRounder) - std::bit_cast<std::int32_t>(kRounder));
    constexpr auto order = sizeof(T) == 1 ? Bytes{0, 4, 8, 12} : Bytes{0, 1, 4, 5, 8, 9, 12, 13};
    using Words = std::uint64_t __attribute__((vector_size(16)));
    const auto word = std::bit_cast<Words>(__builtin_shuffle(bytes, order))[0];
    std::memcpy(to, &word, Channels * sizeof(T));
  }
}

template <class T>
SECTILE_INLINE void blend_pixel(const std::uint8_t* at, const SourcePixels& from, float right, float down, int channels,
                                T* to) {
  const auto values = [&](std::ptrdiff_t step) { return reinterpret_cast<const T*>(at + step); };
  const T *top = values(0), *top_right = values(from.right), *bottom = values(from.down),
          *bottom_right = values(from.down + from.right);
  const float left = 1 - right;  // so that weights of 0 and 1 are exact
  for (int c = 0; c < channels; ++c) {
    const float above = left * static_cast<float>(top[c]) + right * static_cast<float>(top_right[c]);
    const float below = left * static_cast<float>(bottom[c]) + right * static_cast<float>(bottom_right[c]);
    to[c] = rounded<T>((1 - down) * above + down * below);
  }
}

// Channels: 0 for any number.
struct Linear {
  template <class T, int Channels>
  SECTILE_INLINE static void blend(const SourcePixels& from, const SlantedRow& row, std::size_t count, const T* fill,
                                   T* to) {
    const int channels = Channels ? Channels : from.channels;
    // Up to here, four values can be read from a pixel and its neighbors.
    const std::ptrdiff_t last = from.bytes - from.right - from.down - static_cast<std::ptrdiff_t>(4 * sizeof(T));
    for (std::size_t i = 0; i < count; ++i, to += channels) {
      const auto first = row.first[i];
      if (first < 0) {
        std::copy_n(fill, channels, to);
        continue;
      }
      const float right = row.right[i], down = row.down[i];
      const auto* at = from.data + first;
      if constexpr (Channels >= 2 && Channels <= 4) {
        if (first <= last) {
          const float left = 1 - right;
          const auto above = left * four<T>(at) + right * four<T>(at + from.right);
          const auto below = left * four<T>(at + from.down) + right * four<T>(at + from.down + from.right);
          store<T, Channels>((1 - down) * above + down * below, to);
          continue;
        }
      }
      blend_pixel<T>(at, from, right, down, channels, to);
    }
  }
};

template <class T, class Value>
SECTILE_INLINE Value clipped(Value value) {  // a cubic may overshoot
  if constexpr (!std::is_same_v<T, float>) {
    const Value least = Value{} + static_cast<float>(std::numeric_limits<T>::min());
    const Value most = Value{} + static_cast<float>(std::numeric_limits<T>::max());
    value = value < least ? least : value;
    value = value > most ? most : value;
  }
  return value;
}

struct Cubic {
  // At the edge of the source, which is repeated.
  template <class T>
  SECTILE_INLINE static void blend_at_edge(const SourcePixels& from, const SlantedRow& row, std::size_t i,
                                           std::size_t count, int channels, T* to) {
    const float *of_columns = row.weights.data() + i, *of_lines = of_columns + 4 * count;
    for (int c = 0; c < channels; ++c) {
      float sum = 0;
      for (int line = 0; line < 4; ++line) {
        const int y = std::clamp(row.top[i] - 1 + line, 0, from.height - 1);
        const auto* pixels = reinterpret_cast<const T*>(from.data + std::ptrdiff_t{y} * from.steps.line) + c;
        float of_line = 0;
        for (int column = 0; column < 4; ++column) {
          const int x = std::clamp(row.left[i] - 1 + column, 0, from.width - 1);
          of_line += of_columns[static_cast<std::size_t>(column) * count] * static_cast<float>(pixels[x * channels]);
        }
        sum += of_lines[static_cast<std::size_t>(line) * count] * of_line;
      }
      to[c] = rounded<T>(clipped<T>(sum));
    }
  }

  template <class T, int Channels>
  SECTILE_INLINE static void blend(const SourcePixels& from, const SlantedRow& row, std::size_t count, const T* fill,
                                   T* to) {
    const int channels = Channels ? Channels : from.channels;
    const std::ptrdiff_t line_step = from.steps.line, pixel_step = from.steps.pixel;
    const std::ptrdiff_t last =
        from.bytes - 3 * line_step - 3 * pixel_step - static_cast<std::ptrdiff_t>(4 * sizeof(T));
    const float *of_columns = row.weights.data(), *of_lines = of_columns + 4 * count;
    for (std::size_t i = 0; i < count; ++i, to += channels) {
      const auto first = row.first[i];
      if (first == -1) {
        std::copy_n(fill, channels, to);
        continue;
      }
      if constexpr (Channels >= 2 && Channels <= 4) {
        if (first >= 0 && first <= last) {
          const float a = of_columns[i], b = of_columns[count + i], c = of_columns[2 * count + i],
                      d = of_columns[3 * count + i];
          const auto* at = from.data + first;
          Floats sum{};
          for (std::size_t line = 0; line < 4; ++line, at += line_step)
            sum += of_lines[line * count + i] * (a * four<T>(at) + b * four<T>(at + pixel_step) +
                                                 c * four<T>(at + 2 * pixel_step) + d * four<T>(at + 3 * pixel_step));
          store<T, Channels>(clipped<T>(sum), to);
          continue;
        }
      }
      blend_at_edge<T>(from, row, i, count, channels, to);
    }
  }
};

template <class Kind, class T, int Channels>
void blend_with_any(const SourcePixels& from, SlantedRow& row, std::size_t count, const T* fill, T* to) {
  Kind::template blend<T, Channels>(from, row, count, fill, to);
}
#if defined(__x86_64__)
template <class Kind, class T, int Channels>
SECTILE_AVX2 void blend_with_avx2(const SourcePixels& from, SlantedRow& row, std::size_t count, const T* fill, T* to) {
  Kind::template blend<T, Channels>(from, row, count, fill, to);
}
template <class Kind, class T, int Channels>
SECTILE_AVX512 void blend_with_avx512(const SourcePixels& from, SlantedRow& row, std::size_t count, const T* fill,
                                      T* to) {
  Kind::template blend<T, Channels>(from, row, count, fill, to);
}
#endif

template <class Kind, class T, int Channels>
BlendRow<T> best_blend() {
#if defined(__x86_64__)
  if (has_avx512()) return blend_with_avx512<Kind, T, Channels>;
  if (has_avx2()) return blend_with_avx2<Kind, T, Channels>;
#endif
  return blend_with_any<Kind, T, Channels>;
}

template <class Kind, class T>
BlendRow<T> best_blend(int channels) {
  switch (channels) {
    case 1:
      return best_blend<Kind, T, 1>();
    case 3:
      return best_blend<Kind, T, 3>();
    case 4:
      return best_blend<Kind, T, 4>();
    default:
      return best_blend<Kind, T, 0>();
  }
}

}  // namespace

bool SourcePixels::fits(const cv::Mat& map) {
  return map.step[0] * static_cast<std::size_t>(map.rows) < std::size_t{std::numeric_limits<std::int32_t>::max()};
}

SourcePixels::SourcePixels(const cv::Mat& map)
    : data(map.data),
      width(map.cols),
      height(map.rows),
      channels(map.channels()),
      steps{static_cast<int>(map.step[0]), static_cast<int>(map.elemSize())},
      right(map.cols > 1 ? steps.pixel : 0),
      down(map.rows > 1 ? steps.line : 0),
      bytes(std::ptrdiff_t{steps.line} * (map.rows - 1) + std::ptrdiff_t{steps.pixel} * map.cols) {}

template <class T>
BlendRow<T> linear_blend(int channels) {
  if constexpr (std::is_same_v<T, std::uint8_t>)
    if (const auto of_bytes = linear_blend_of_bytes(channels)) return of_bytes;
  return best_blend<Linear, T>(channels);
}
template <class T>
BlendRow<T> cubic_blend(int channels) {
  return best_blend<Cubic, T>(channels);
}

template BlendRow<std::uint8_t> linear_blend<std::uint8_t>(int);
template BlendRow<std::uint16_t> linear_blend<std::uint16_t>(int);
template BlendRow<std::int16_t> linear_blend<std::int16_t>(int);
template BlendRow<float> linear_blend<float>(int);
template BlendRow<std::uint8_t> cubic_blend<std::uint8_t>(int);
template BlendRow<std::uint16_t> cubic_blend<std::uint16_t>(int);
template BlendRow<std::int16_t> cubic_blend<std::int16_t>(int);
template BlendRow<float> cubic_blend<float>(int);

}  // namespace sectile
