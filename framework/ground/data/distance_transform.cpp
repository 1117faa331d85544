#include <sectile/data/distance_transform.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>

namespace sectile {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Squared distances within one row: a scan from either side, as all values are 0 or infinite.
void scan_row(const std::uint8_t* mask, double* to, int count, double spacing) {
  double distance = kInfinite;
  for (int x = 0; x < count; ++x) {
    distance = mask[x] ? 0 : distance + 1;
    to[x] = distance;
  }
  distance = kInfinite;
  for (int x = count - 1; x >= 0; --x) {
    distance = mask[x] ? 0 : distance + 1;
    const double nearest = std::min(distance, to[x]) * spacing;
    to[x] = nearest * nearest;
  }
}

// The lower envelope of the parabolas that stand on the values of a line, in place.
class Envelope {
 public:
  Envelope(int count, double spacing)
      : count_(count), spacing_(spacing), position_(size(count)), height_(size(count)), from_(size(count)) {}

  void apply(double* line) {
    std::size_t parabolas = 0;
    for (int i = 0; i < count_; ++i) {
      if (line[i] == kInfinite) continue;
      const double at = i * spacing_;
      double from = -kInfinite;
      for (; parabolas > 0; --parabolas) {
        from = crossing(position_[parabolas - 1], height_[parabolas - 1], at, line[i]);
        if (from > from_[parabolas - 1]) break;
      }
      position_[parabolas] = at;
      height_[parabolas] = line[i];
      from_[parabolas] = parabolas == 0 ? -kInfinite : from;
      ++parabolas;
    }
    if (parabolas == 0) return;
    std::size_t k = 0;
    for (int i = 0; i < count_; ++i) {
      const double at = i * spacing_;
      while (k + 1 < parabolas && from_[k + 1] < at) ++k;
      const double along = at - position_[k];
      line[i] = along * along + height_[k];
    }
  }

 private:
  static std::size_t size(int count) { return static_cast<std::size_t>(count); }
  // Where the parabola at b, right of a, becomes the lower one.
  static double crossing(double a, double height_a, double b, double height_b) {
    return (a + b) / 2 + (height_b - height_a) / (2 * (b - a));
  }

  int count_;
  double spacing_;
  std::vector<double> position_, height_, from_;  // of the parabolas; from_: where each begins to be the lowest
};

// Along an axis whose neighbours are `stride` values apart; `lines` adjacent lines begin at `first`. Several lines at a
// time, because their values share cache lines.
void transform_lines(double* first, std::size_t lines, std::size_t stride, int count, double spacing) {
  constexpr std::size_t kTogether = 8;
  if (count < 2) return;
  const auto length = static_cast<std::size_t>(count);
  Envelope envelope(count, spacing);
  std::vector<double> values(kTogether * length);
  for (std::size_t begin = 0; begin < lines; begin += kTogether) {
    const auto width = std::min(kTogether, lines - begin);
    for (std::size_t i = 0; i < length; ++i)
      for (std::size_t k = 0; k < width; ++k) values[k * length + i] = first[i * stride + begin + k];
    for (std::size_t k = 0; k < width; ++k) envelope.apply(values.data() + k * length);
    for (std::size_t i = 0; i < length; ++i)
      for (std::size_t k = 0; k < width; ++k) first[i * stride + begin + k] = values[k * length + i];
  }
}

}  // namespace

cv::Mat squared_distance_transform(const cv::Mat& mask, const cv::Vec3d& spacing) {
  if (mask.empty()) return {};
  if (mask.type() != CV_8UC1 || mask.dims > 3)
    throw DataError("distance transform", "the mask has " + std::to_string(mask.dims) +
                                              " axes and values of OpenCV's "
                                              "type " +
                                              cv::typeToString(mask.type()) +
                                              "; expected H x W or D x H x W of CV_8UC1");
  for (int axis = 0; axis < mask.dims; ++axis)
    if (!(spacing[axis] > 0) || !std::isfinite(spacing[axis]))
      throw DataError("distance transform", "the spacing of axis " + std::string(1, "xyz"[axis]) + " is " +
                                                std::to_string(spacing[axis]) +
                                                "; expected a finite size of a pixel above 0");
  const bool volume = mask.dims == 3;
  const int depth = volume ? mask.size[0] : 1, height = mask.size[mask.dims - 2], width = mask.size[mask.dims - 1];
  cv::Mat distances(mask.dims, mask.size.p, CV_64F);
  auto* const to = distances.ptr<double>();
  const auto row = static_cast<std::size_t>(width), plane = row * static_cast<std::size_t>(height);
  for (int z = 0; z < depth; ++z) {
    auto* const slice = to + static_cast<std::size_t>(z) * plane;
    for (int y = 0; y < height; ++y)
      scan_row(volume ? mask.ptr(z, y) : mask.ptr(y), slice + static_cast<std::size_t>(y) * row, width, spacing[0]);
    transform_lines(slice, row, row, height, spacing[1]);
  }
  transform_lines(to, plane, plane, depth, spacing[2]);
  return distances;
}

cv::Mat distance_transform(const cv::Mat& mask, const cv::Vec3d& spacing) {
  auto distances = squared_distance_transform(mask, spacing);
  if (!distances.empty()) cv::sqrt(distances, distances);
  return distances;
}

}  // namespace sectile
