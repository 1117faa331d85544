// Warps of images whose columns and rows move independently: crop, pad, flip, quarter turns, resize and their products.
// Nearest pixels and whole shifts are exactly those of the plain sampler, interpolated integers within one level (float
// instead of double). Only such warps have an area that a pixel covers.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace sectile {

// In pixels. A position on the border of two pixels lies in the later one, whichever way the product of the matrices
// that led to it was rounded: one warp and several in a row then choose the same.
constexpr double kRounding = 1e-9;

// Where one row or column of the result comes from.
struct Place {
  int low = -1;   // -1: outside
  int high = -1;  // the next one, for interpolation; the same at the edge
  int nearest = -1;
  float part = 0;  // of high
};

struct Axis {
  std::vector<Place> places{};
  bool whole = false;  // each comes from exactly one
  double scale = 1;    // negative: mirrored
  double offset = 0;
  int limit = 0;  // how many there are to come from
};

// After an exchange of columns and rows.
struct Separable {
  bool transposed = false;
  Axis columns{};
  Axis rows{};
};

// The weights of the four pixels around a position that lies `part` of the way from the second to the third: Keys'
// kernel (1981) with a = -0.75, as in OpenCV's INTER_CUBIC.
inline std::array<double, 4> cubic_weights(double part) {
  constexpr double a = -0.75;
  const auto near = [](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
  const auto far = [](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
  return {far(part + 1), near(part), near(1 - part), far(2 - part)};
}

std::optional<Separable> separate(const Warp& warp, const Extent& from);  // nothing for any other warp

// Writes what comes from inside `from`, whose columns and rows are exchanged already; the rest of `to` stays as it is.
// area: along axes that do not grow. T: of std::uint8_t, std::uint16_t, std::int16_t, std::int32_t, float.
template <class T>
void move_separably(const cv::Mat& from, cv::Mat& to, const Separable& warp, Interpolation how);

}  // namespace sectile
