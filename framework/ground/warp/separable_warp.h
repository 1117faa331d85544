// Warps of images whose columns and rows move independently: crop, pad, flip, rotation by 90 degrees, resize and their
// products. Nearest pixels and whole shifts are identical to those of the plain sampler, interpolated integers within
// one level (float instead of double). Interpolation::area exists only for these warps.
#pragma once

#include <array>
#include <optional>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/transform.h>

namespace sectile {

// In pixels. A position on the border of two pixels is in the later one, however the product of the matrices was
// rounded, so that one warp and several consecutive warps choose the same.
constexpr double kRounding = 1e-9;

// The source of one row or column of the result.
struct Place {
  int low = -1;   // -1: outside
  int high = -1;  // the next one, for interpolation; the same at the edge
  int nearest = -1;
  float part = 0;  // weight of high
};

struct Axis {
  std::vector<Place> places{};  // none if both axes of the warp are whole
  bool whole = false;           // each has exactly one source
  double scale = 1;             // negative: flipped
  double offset = 0;
  int count = 0;  // rows or columns of the result
  int limit = 0;  // of the source
};

// After swapping columns and rows.
struct Separable {
  bool transposed = false;
  Axis columns{};
  Axis rows{};

  bool whole() const { return columns.whole && rows.whole; }
};

// The weights of the four pixels around a position, which is `part` of the way from the second to the third: Keys'
// kernel (1981) with a = -0.75, as in OpenCV's INTER_CUBIC.
inline std::array<double, 4> cubic_weights(double part) {
  constexpr double a = -0.75;
  const auto near = [](double t) { return ((a + 2) * t - (a + 3)) * t * t + 1; };
  const auto far = [](double t) { return ((a * t - 5 * a) * t + 8 * a) * t - 4 * a; };
  return {far(part + 1), near(part), near(1 - part), far(2 - part)};
}

inline bool has_perspective(const cv::Matx44d& matrix) { return matrix.row(3) != cv::Matx14d(0, 0, 0, 1); }

std::optional<Separable> separate(const Warp& warp, const Extent& from);  // nullopt for any other warp

// The columns and rows of `from` are already swapped. area: along axes that do not grow. fill: one value per channel.
// T: of std::uint8_t, std::uint16_t, std::int16_t, std::int32_t, float.
template <class T>
void move_separably(const cv::Mat& from, cv::Mat& to, const Separable& warp, Interpolation how,
                    const std::vector<T>& fill);

}  // namespace sectile
