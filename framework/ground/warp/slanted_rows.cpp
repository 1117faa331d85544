#include "slanted_rows.h"

#include <algorithm>

#include "separable_warp.h"
#include "wide_code.h"

namespace sectile {
namespace {

SECTILE_INLINE void positions_of_row(const Slant& slant, int row, double* xs, double* ys) {
  const auto m = slant.warp.to_input;
  const int count = slant.warp.size.width;
  const double y = row + 0.5, z = 0.5;
  const double x_of_column = m(0, 0), x_of_row = m(0, 1) * y, x_of_depth = m(0, 2) * z, x_shift = m(0, 3);
  const double y_of_column = m(1, 0), y_of_row = m(1, 1) * y, y_of_depth = m(1, 2) * z, y_shift = m(1, 3);
  for (int i = 0; i < count; ++i) {
    xs[i] = x_of_column * (i + 0.5) + x_of_row + x_of_depth + x_shift;
    ys[i] = y_of_column * (i + 0.5) + y_of_row + y_of_depth + y_shift;
  }
  if (slant.perspective) {
    const double w_of_column = m(3, 0), w_of_row = m(3, 1) * y + m(3, 2) * z + m(3, 3);
    for (int i = 0; i < count; ++i) {
      const double w = w_of_column * (i + 0.5) + w_of_row, part = 1 / w;
      xs[i] = w > 0 ? xs[i] * part : -1;
      ys[i] = w > 0 ? ys[i] * part : -1;
    }
  }
  if (slant.warp.displacement.empty()) return;
  const auto* shifts = slant.warp.displacement.ptr<float>(row);
  for (int i = 0; i < count; ++i) {
    const double depth = z + shifts[3 * i + 2] + kRounding;
    const bool in_plane = (depth >= 0) & (depth < 1);
    const double moved_x = xs[i] + shifts[3 * i], moved_y = ys[i] + shifts[3 * i + 1];
    xs[i] = in_plane ? moved_x : -1;
    ys[i] = in_plane ? moved_y : -1;
  }
}

// Those of separable_warp.h, in float, of all positions: [4, count].
SECTILE_INLINE void cubic_weights(const float* parts, int count, float* to) {
  constexpr float a = -0.75f;
  float *one = to, *two = one + count, *three = two + count, *four = three + count;
#pragma GCC ivdep
  for (int i = 0; i < count; ++i) {
    const float part = parts[i], before = 1 + part, after = 1 - part, beyond = 2 - part;
    one[i] = ((a * before - 5 * a) * before + 8 * a) * before - 4 * a;
    two[i] = ((a + 2) * part - (a + 3)) * part * part + 1;
    three[i] = ((a + 2) * after - (a + 3)) * after * after + 1;
    four[i] = ((a * beyond - 5 * a) * beyond + 8 * a) * beyond - 4 * a;
  }
}

enum class Neighbors { nearest, linear, cubic };

// "ivdep": the buffers are apart, and too many for the compiler to compare their addresses.
template <Neighbors neighbors>
SECTILE_INLINE void place_row(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to,
                              std::int32_t* nearest) {
  positions_of_row(slant, row, to.xs.data(), to.ys.data());
  const int count = slant.warp.size.width, columns = slant.width, lines = slant.height;
  const double width = columns, height = lines, last_x = width - 1, last_y = height - 1;
  const int last_left = std::max(columns - 2, 0), last_top = std::max(lines - 2, 0);
  const double* xs = to.xs.data();
  const double* ys = to.ys.data();
  std::int32_t *first = to.first.data(), *lefts = to.left.data(), *tops = to.top.data();
  float *right = to.right.data(), *down = to.down.data();
  const int line_step = steps.line, pixel_step = steps.pixel;
#pragma GCC ivdep
  for (int i = 0; i < count; ++i) {
    const double x = xs[i] + kRounding, y = ys[i] + kRounding;
    const bool inside = (x >= 0) & (x < width) & (y >= 0) & (y < height);
    const int column = static_cast<int>(inside ? x : 0), line = static_cast<int>(inside ? y : 0);
    const int pixel = line * columns + column;
    nearest[i] = inside ? pixel : -1;
    if constexpr (neighbors == Neighbors::linear) {
      double center_x = xs[i] - 0.5, center_y = ys[i] - 0.5;
      center_x = inside ? center_x : 0;
      center_y = inside ? center_y : 0;
      center_x = center_x < 0 ? 0 : center_x;
      center_y = center_y < 0 ? 0 : center_y;
      center_x = center_x > last_x ? last_x : center_x;
      center_y = center_y > last_y ? last_y : center_y;
      int left = static_cast<int>(center_x), top = static_cast<int>(center_y);
      left = left < last_left ? left : last_left;
      top = top < last_top ? top : last_top;
      right[i] = static_cast<float>(center_x - left);
      down[i] = static_cast<float>(center_y - top);
      const int at = top * line_step + left * pixel_step;
      first[i] = inside ? at : -1;
    }
    if constexpr (neighbors == Neighbors::cubic) {
      double center_x = xs[i] + 0.5, center_y = ys[i] + 0.5;  // above 0 inside: a fraction is cut off as by floor
      center_x = inside ? center_x : 1;
      center_y = inside ? center_y : 1;
      const int left = static_cast<int>(center_x) - 1, top = static_cast<int>(center_y) - 1;
      right[i] = static_cast<float>(center_x - 1 - left);
      down[i] = static_cast<float>(center_y - 1 - top);
      lefts[i] = left;
      tops[i] = top;
    }
  }
  if constexpr (neighbors == Neighbors::cubic) {
#pragma GCC ivdep
    for (int i = 0; i < count; ++i) {
      const int left = lefts[i], top = tops[i];
      const bool whole = (left >= 1) & (left + 2 < columns) & (top >= 1) & (top + 2 < lines);
      int at = (top - 1) * line_step + (left - 1) * pixel_step;
      at = whole ? at : -2;
      first[i] = nearest[i] < 0 ? -1 : at;
    }
    cubic_weights(right, count, to.weights.data());
    cubic_weights(down, count, to.weights.data() + 4 * to.right.size());
  }
}

template <Neighbors neighbors>
void place_with_any(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest) {
  place_row<neighbors>(slant, row, steps, to, nearest);
}
#if defined(__x86_64__)
template <Neighbors neighbors>
SECTILE_AVX2 void place_with_avx2(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to,
                                  std::int32_t* nearest) {
  place_row<neighbors>(slant, row, steps, to, nearest);
}
template <Neighbors neighbors>
SECTILE_AVX512 void place_with_avx512(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to,
                                      std::int32_t* nearest) {
  place_row<neighbors>(slant, row, steps, to, nearest);
}
#endif

template <Neighbors neighbors>
void place(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest) {
#if defined(__x86_64__)
  if (has_avx512()) return place_with_avx512<neighbors>(slant, row, steps, to, nearest);
  if (has_avx2()) return place_with_avx2<neighbors>(slant, row, steps, to, nearest);
#endif
  place_with_any<neighbors>(slant, row, steps, to, nearest);
}

}  // namespace

Slant::Slant(const Warp& its_warp, const Extent& from)
    : warp(its_warp), width(from.width), height(from.height), perspective(has_perspective(its_warp.to_input)) {}

void place_nearest(const Slant& slant, int row, SlantedRow& buffers, std::int32_t* nearest) {
  place<Neighbors::nearest>(slant, row, {}, buffers, nearest);
}
void place_linear(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest) {
  place<Neighbors::linear>(slant, row, steps, to, nearest);
}
void place_cubic(const Slant& slant, int row, const PixelSteps& steps, SlantedRow& to, std::int32_t* nearest) {
  to.left.resize(to.first.size());
  to.top.resize(to.first.size());
  to.weights.resize(8 * to.first.size());
  place<Neighbors::cubic>(slant, row, steps, to, nearest);
}

}  // namespace sectile
