#include "slanted_warp.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <type_traits>

#include "separable_warp.h"

#define SECTILE_INLINE __attribute__((always_inline)) inline

namespace sectile {
namespace {

// What a row of the result needs to know of the warp.
struct Geometry2d {
  const Warp& warp;
  int width, height;  // of the source
  bool perspective;

  Geometry2d(const Warp& its_warp, const Extent& from)
      : warp(its_warp), width(from.width), height(from.height), perspective(has_perspective(its_warp.to_input)) {}
};

// The positions in the source of a row's pixels; outside: -1.
SECTILE_INLINE void positions_of_row(const Geometry2d& geometry, int row, double* xs, double* ys) {
  const auto m = geometry.warp.to_input;
  const int count = geometry.warp.size.width;
  const double y = row + 0.5, z = 0.5;
  const double x_of_column = m(0, 0), x_of_row = m(0, 1) * y, x_of_depth = m(0, 2) * z, x_shift = m(0, 3);
  const double y_of_column = m(1, 0), y_of_row = m(1, 1) * y, y_of_depth = m(1, 2) * z, y_shift = m(1, 3);
  for (int i = 0; i < count; ++i) {
    xs[i] = x_of_column * (i + 0.5) + x_of_row + x_of_depth + x_shift;
    ys[i] = y_of_column * (i + 0.5) + y_of_row + y_of_depth + y_shift;
  }
  if (geometry.perspective) {
    const double w_of_column = m(3, 0), w_of_row = m(3, 1) * y + m(3, 2) * z + m(3, 3);
    for (int i = 0; i < count; ++i) {
      const double w = w_of_column * (i + 0.5) + w_of_row;
      xs[i] = w > 0 ? xs[i] / w : -1;
      ys[i] = w > 0 ? ys[i] / w : -1;
    }
  }
  if (geometry.warp.displacement.empty()) return;
  const float* shift = geometry.warp.displacement.ptr<float>(row);
  for (int i = 0; i < count; ++i, shift += 3) {
    const double depth = z + shift[2];
    const bool in_plane = depth + kRounding >= 0 && depth + kRounding < 1;
    xs[i] = in_plane ? xs[i] + shift[0] : -1;
    ys[i] = in_plane ? ys[i] + shift[1] : -1;
  }
}

SECTILE_INLINE void nearest_of_row(const Geometry2d& geometry, const double* xs, const double* ys, std::int32_t* to) {
  const int count = geometry.warp.size.width;
  const double width = geometry.width, height = geometry.height;
  for (int i = 0; i < count; ++i) {
    const double x = xs[i] + kRounding, y = ys[i] + kRounding;
    const bool inside = (x >= 0) & (x < width) & (y >= 0) & (y < height);
    const int column = static_cast<int>(inside ? x : 0), line = static_cast<int>(inside ? y : 0);
    to[i] = inside ? line * geometry.width + column : -1;
  }
}

// Of each pixel of a row: where the first of its four neighbors is, in bytes (-1: outside), and how far it is on the
// way to the next ones. At the edge, the edge is repeated.
struct Neighbors {
  std::vector<double> xs, ys;
  std::vector<std::int32_t> first;
  std::vector<float> right, down;

  explicit Neighbors(int count)
      : xs(static_cast<std::size_t>(count)), ys(xs.size()), first(xs.size()), right(xs.size()), down(xs.size()) {}
};

SECTILE_INLINE void neighbors_of_row(const Geometry2d& geometry, int row, int line_step, int pixel_step,
                                     Neighbors& to) {
  positions_of_row(geometry, row, to.xs.data(), to.ys.data());
  const int count = geometry.warp.size.width;
  const double width = geometry.width, height = geometry.height;
  const double last_x = width - 1, last_y = height - 1;
  const double last_left = std::max(width - 2, 0.0), last_top = std::max(height - 2, 0.0);
  const double* xs = to.xs.data();
  const double* ys = to.ys.data();
  std::int32_t* first = to.first.data();
  float* right = to.right.data();
  float* down = to.down.data();
  for (int i = 0; i < count; ++i) {
    const double x = xs[i] + kRounding, y = ys[i] + kRounding;
    const bool inside = (x >= 0) & (x < width) & (y >= 0) & (y < height);
    double center_x = inside ? xs[i] - 0.5 : 0, center_y = inside ? ys[i] - 0.5 : 0;
    center_x = center_x < 0 ? 0 : center_x > last_x ? last_x : center_x;
    center_y = center_y < 0 ? 0 : center_y > last_y ? last_y : center_y;
    const int left = static_cast<int>(center_x < last_left ? center_x : last_left);
    const int top = static_cast<int>(center_y < last_top ? center_y : last_top);
    right[i] = static_cast<float>(center_x - left);
    down[i] = static_cast<float>(center_y - top);
    first[i] = inside ? top * line_step + left * pixel_step : -1;
  }
}

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

// The steps to the neighbors, in bytes: 0 where there is none.
struct Steps {
  std::ptrdiff_t right, down;
  std::ptrdiff_t last_of_four;  // up to here, four values can be read from a pixel and its neighbors
};

template <class T>
SECTILE_INLINE void blend_pixel(const std::uint8_t* from, const Steps& steps, float right, float down, int channels,
                                T* to) {
  const auto values = [&](std::ptrdiff_t step) { return reinterpret_cast<const T*>(from + step); };
  const T *top = values(0), *top_right = values(steps.right), *bottom = values(steps.down),
          *bottom_right = values(steps.down + steps.right);
  const float left = 1 - right;  // so that weights of 0 and 1 are exact
  for (int c = 0; c < channels; ++c) {
    const float above = left * static_cast<float>(top[c]) + right * static_cast<float>(top_right[c]);
    const float below = left * static_cast<float>(bottom[c]) + right * static_cast<float>(bottom_right[c]);
    to[c] = rounded<T>((1 - down) * above + down * below);
  }
}

// Channels: 0 for any number.
template <class T, int Channels>
SECTILE_INLINE void blend_row(const std::uint8_t* from, const Steps& steps, const Neighbors& neighbors,
                              std::size_t count, int any_channels, const T* fill, T* to) {
  const int channels = Channels ? Channels : any_channels;
  for (std::size_t i = 0; i < count; ++i, to += channels) {
    const auto first = neighbors.first[i];
    if (first < 0) {
      std::copy_n(fill, channels, to);
      continue;
    }
    const float right = neighbors.right[i], down = neighbors.down[i];
    const auto* at = from + first;
    if constexpr (Channels >= 2 && Channels <= 4) {
      if (first <= steps.last_of_four) {
        const float left = 1 - right;
        const auto above = left * four<T>(at) + right * four<T>(at + steps.right);
        const auto below = left * four<T>(at + steps.down) + right * four<T>(at + steps.down + steps.right);
        store<T, Channels>((1 - down) * above + down * below, to);
        continue;
      }
    }
    blend_pixel<T>(at, steps, right, down, channels, to);
  }
}

template <class T, int Channels>
SECTILE_INLINE void blend_rows(const Geometry2d& geometry, const cv::Mat& from, cv::Mat& to, const T* fill) {
  const auto pixel = static_cast<int>(from.elemSize()), line = static_cast<int>(from.step[0]);
  const std::ptrdiff_t bytes = std::ptrdiff_t{line} * (from.rows - 1) + std::ptrdiff_t{pixel} * from.cols;
  Steps steps{from.cols > 1 ? pixel : 0, from.rows > 1 ? line : 0, 0};
  steps.last_of_four = bytes - steps.right - steps.down - static_cast<std::ptrdiff_t>(4 * sizeof(T));
  Neighbors neighbors(to.cols);
  for (int y = 0; y < to.rows; ++y) {
    neighbors_of_row(geometry, y, line, pixel, neighbors);
    blend_row<T, Channels>(from.data, steps, neighbors, static_cast<std::size_t>(to.cols), from.channels(), fill,
                           to.ptr<T>(y));
  }
}

// Rows `begin` … `end` - 1.
SECTILE_INLINE void nearest_rows(const Geometry2d& geometry, int begin, int end, std::int32_t* to) {
  const auto count = static_cast<std::size_t>(geometry.warp.size.width);
  std::vector<double> xs(count), ys(count);
  for (int y = begin; y < end; ++y, to += count) {
    positions_of_row(geometry, y, xs.data(), ys.data());
    nearest_of_row(geometry, xs.data(), ys.data(), to);
  }
}

// The same code for the best instructions that the processor has.
void nearest_of_any(const Geometry2d& geometry, int begin, int end, std::int32_t* to) {
  nearest_rows(geometry, begin, end, to);
}
template <class T, int Channels>
void blend_of_any(const Geometry2d& geometry, const cv::Mat& from, cv::Mat& to, const T* fill) {
  blend_rows<T, Channels>(geometry, from, to, fill);
}
#if defined(__x86_64__)
#define SECTILE_AVX2 __attribute__((target("avx2,fma")))
#define SECTILE_AVX512 __attribute__((target("avx512f,avx512dq,avx512vl,fma")))
SECTILE_AVX2 void nearest_of_avx2(const Geometry2d& geometry, int begin, int end, std::int32_t* to) {
  nearest_rows(geometry, begin, end, to);
}
SECTILE_AVX512 void nearest_of_avx512(const Geometry2d& geometry, int begin, int end, std::int32_t* to) {
  nearest_rows(geometry, begin, end, to);
}
template <class T, int Channels>
SECTILE_AVX2 void blend_of_avx2(const Geometry2d& geometry, const cv::Mat& from, cv::Mat& to, const T* fill) {
  blend_rows<T, Channels>(geometry, from, to, fill);
}
template <class T, int Channels>
SECTILE_AVX512 void blend_of_avx512(const Geometry2d& geometry, const cv::Mat& from, cv::Mat& to, const T* fill) {
  blend_rows<T, Channels>(geometry, from, to, fill);
}
bool has_avx512() {
  return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl");
}
bool has_avx2() { return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma"); }
#endif

auto nearest_kernel() {
#if defined(__x86_64__)
  if (has_avx512()) return nearest_of_avx512;
  if (has_avx2()) return nearest_of_avx2;
#endif
  return nearest_of_any;
}
template <class T, int Channels>
auto blend_kernel() {
#if defined(__x86_64__)
  if (has_avx512()) return blend_of_avx512<T, Channels>;
  if (has_avx2()) return blend_of_avx2<T, Channels>;
#endif
  return blend_of_any<T, Channels>;
}

// Size: bytes of a pixel, 0 for any number.
template <std::size_t Size>
void copy_pixels(const std::uint8_t* from, const std::int32_t* pixels, std::size_t count, const std::uint8_t* fill,
                 std::size_t any_size, std::uint8_t* to) {
  const std::size_t size = Size ? Size : any_size;
  for (std::size_t i = 0; i < count; ++i, to += size)
    std::memcpy(to, pixels[i] < 0 ? fill : from + static_cast<std::size_t>(pixels[i]) * size, size);
}

void copy_pixels(const std::uint8_t* from, const std::int32_t* pixels, std::size_t count, const std::uint8_t* fill,
                 std::size_t size, std::uint8_t* to) {
  switch (size) {
    case 1:
      return copy_pixels<1>(from, pixels, count, fill, size, to);
    case 2:
      return copy_pixels<2>(from, pixels, count, fill, size, to);
    case 3:
      return copy_pixels<3>(from, pixels, count, fill, size, to);
    case 4:
      return copy_pixels<4>(from, pixels, count, fill, size, to);
    default:
      return copy_pixels<0>(from, pixels, count, fill, size, to);
  }
}

}  // namespace

bool SlantedWarp::fits(const Warp& warp, const cv::Mat& from) {
  constexpr std::size_t kMost = std::numeric_limits<std::int32_t>::max();
  if (from.dims != 2 || warp.size.depth != 1 || warp.displacement.dims == 3) return false;
  const auto& m = warp.to_input;
  const bool plane =
      m(0, 2) == 0 && m(1, 2) == 0 && m(2, 0) == 0 && m(2, 1) == 0 && m(3, 2) == 0 && m(2, 2) * 0.5 + m(2, 3) == 0.5;
  return plane && from.step[0] * static_cast<std::size_t>(from.rows) < kMost &&
         static_cast<std::size_t>(warp.size.width) * static_cast<std::size_t>(warp.size.height) < kMost;
}

void SlantedWarp::nearest(const cv::Mat& from, cv::Mat& to, const void* fill) const {
  const cv::Mat whole = from.isContinuous() ? from : from.clone();
  const auto* filling = static_cast<const std::uint8_t*>(fill);
  const Geometry2d geometry(warp_, from_);
  const auto columns = static_cast<std::size_t>(to.cols), rows = static_cast<std::size_t>(to.rows);
  if (++uses_ == 1) {
    std::vector<std::int32_t> row(columns);
    for (int y = 0; y < to.rows; ++y) {
      nearest_kernel()(geometry, y, y + 1, row.data());
      copy_pixels(whole.data, row.data(), columns, filling, from.elemSize(), to.ptr(y));
    }
    return;
  }
  if (nearest_.empty()) {
    nearest_.resize(columns * rows);
    nearest_kernel()(geometry, 0, to.rows, nearest_.data());
  }
  copy_pixels(whole.data, nearest_.data(), columns * rows, filling, from.elemSize(), to.data);
}

template <class T>
void SlantedWarp::linear(const cv::Mat& from, cv::Mat& to, const T* fill) const {
  const Geometry2d geometry(warp_, from_);
  switch (from.channels()) {
    case 1:
      return blend_kernel<T, 1>()(geometry, from, to, fill);
    case 3:
      return blend_kernel<T, 3>()(geometry, from, to, fill);
    case 4:
      return blend_kernel<T, 4>()(geometry, from, to, fill);
    default:
      return blend_kernel<T, 0>()(geometry, from, to, fill);
  }
}

template void SlantedWarp::linear<std::uint8_t>(const cv::Mat&, cv::Mat&, const std::uint8_t*) const;
template void SlantedWarp::linear<std::uint16_t>(const cv::Mat&, cv::Mat&, const std::uint16_t*) const;
template void SlantedWarp::linear<std::int16_t>(const cv::Mat&, cv::Mat&, const std::int16_t*) const;
template void SlantedWarp::linear<float>(const cv::Mat&, cv::Mat&, const float*) const;

}  // namespace sectile
