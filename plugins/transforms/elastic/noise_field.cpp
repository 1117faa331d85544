#include "noise_field.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <numbers>
#include <vector>

#include <opencv2/imgproc.hpp>

namespace elastic {
namespace {

constexpr int kApproximateSize = 17;  // as in albumentations

std::uint64_t hash(std::uint64_t x) {  // splitmix64's finaliser
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

// What a Gaussian leaves is so smooth that it is computed at every step-th pixel only, and interpolated: the difference
// is a thousandth of it.
struct Smoother {
  Smoother(double sigma, bool approximate)
      : step(approximate ? 1 : std::max(1, static_cast<int>(sigma / 3))),
        radius(approximate ? kApproximateSize / 2 : cvRound(sigma * 8 + 1) / 2),
        width(sigma),
        kernel(cv::getGaussianKernel(2 * radius + 1, sigma, CV_32F)) {}

  int step;
  int radius;
  double width;    // the standard deviation
  cv::Mat kernel;  // 32F [2 * radius + 1, 1]
};

// The nodes of an axis: from one step before its first pixel to at least one step after its last, or two where the last
// pixel is not at a node.
int node_count(int length, int step) { return (length - 1 + step - 1) / step + 3; }

// What the rows from `first` on contribute to a node at the row `center`. Rows outside repeat the first and the last.
struct Weights {
  int first = 0;
  std::vector<float> of_rows{};
};

Weights weights_around(int center, int length, const Smoother& smoother) {
  const auto inside = [&](int row) { return std::clamp(row, 0, length - 1); };
  Weights weights{inside(center - smoother.radius)};
  weights.of_rows.resize(static_cast<std::size_t>(inside(center + smoother.radius) - weights.first + 1));
  const auto* kernel = smoother.kernel.ptr<float>();
  for (int at = -smoother.radius; at <= smoother.radius; ++at)
    weights.of_rows[static_cast<std::size_t>(inside(center + at) - weights.first)] += kernel[at + smoother.radius];
  return weights;
}

// Along the first axis of [length, any]: [nodes, any].
cv::Mat smoothed_rows(const cv::Mat& from, const Smoother& smoother) {
  const int count = from.cols;
  cv::Mat to = cv::Mat::zeros(node_count(from.rows, smoother.step), count, CV_32F);
  for (int node = 0; node < to.rows; ++node) {
    const auto [first, weights] = weights_around((node - 1) * smoother.step, from.rows, smoother);
    auto* sum = to.ptr<float>(node);
    std::size_t i = 0;
    const auto row = [&, start = first](std::size_t number) {
      return from.ptr<float>(start + static_cast<int>(number));
    };
    for (; i + 4 <= weights.size(); i += 4) {  // four at once: sums are read and written less often
      const float *a = row(i), *b = row(i + 1), *c = row(i + 2), *d = row(i + 3);
      const float wa = weights[i], wb = weights[i + 1], wc = weights[i + 2], wd = weights[i + 3];
      for (int x = 0; x < count; ++x) sum[x] += wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x];
    }
    for (; i < weights.size(); ++i) {
      const float* a = row(i);
      const float wa = weights[i];
      for (int x = 0; x < count; ++x) sum[x] += wa * a[x];
    }
  }
  return to;
}

// Catmull and Rom 1974: cubic interpolation between the second and the third of four nodes.
std::array<float, 4> catmull_rom(float t) {
  const float t2 = t * t, t3 = t2 * t;
  return {(-t3 + 2 * t2 - t) / 2, (3 * t3 - 5 * t2 + 2) / 2, (-3 * t3 + 4 * t2 + t) / 2, (t3 - t2) / 2};
}

// Along the first axis of [nodes, any]: [length, any].
cv::Mat interpolated_rows(const cv::Mat& nodes, int length, int step) {
  cv::Mat to(length, nodes.cols, CV_32F);
  for (int row = 0; row < length; ++row) {
    const int first = row / step;
    const auto weights = catmull_rom(static_cast<float>(row % step) / static_cast<float>(step));
    // The last node is missing only where its weight is 0.
    const float *a = nodes.ptr<float>(first), *b = nodes.ptr<float>(first + 1), *c = nodes.ptr<float>(first + 2),
                *d = nodes.ptr<float>(std::min(first + 3, nodes.rows - 1));
    const float wa = weights[0], wb = weights[1], wc = weights[2], wd = weights[3];
    auto* sum = to.ptr<float>(row);
    for (int x = 0; x < nodes.cols; ++x) sum[x] = wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x];
  }
  return to;
}

cv::Mat smoothed_plane(const cv::Mat& plane, const Smoother& smoother) {
  if (smoother.step == 1) {
    const int size = 2 * smoother.radius + 1;
    cv::Mat result;
    // Isolated: a plane is a part of what lies around it in memory, which is not its border.
    cv::GaussianBlur(plane, result, cv::Size(size, size), smoother.width, smoother.width,
                     cv::BORDER_REPLICATE | cv::BORDER_ISOLATED);
    return result;
  }
  const cv::Mat across = smoothed_rows(plane, smoother).t();  // [width, nodes]
  const cv::Mat nodes = interpolated_rows(smoothed_rows(across, smoother), plane.cols, smoother.step).t();
  return interpolated_rows(nodes, plane.rows, smoother.step);
}

// Uniform in [0, 1), with 24 bits.
float unit(std::uint64_t bits) { return static_cast<float>(bits >> 40) * 0x1p-24f; }

}  // namespace

cv::Mat noise(const sectile::Extent& size, Noise distribution, std::uint64_t key, std::uint64_t field) {
  const int rows = size.depth * size.height;
  const int pairs = (rows * size.width + 1) / 2;
  cv::Mat first(1, pairs, CV_32F), second(1, pairs, CV_32F), made(1, 2 * pairs, CV_32F);
  auto *firsts = first.ptr<float>(), *seconds = second.ptr<float>();
  const std::uint64_t start = hash(key ^ ((field + 1) * 0xd1342543de82ef95u));
  for (int i = 0; i < pairs; ++i) {
    const std::uint64_t bits = hash(start + static_cast<std::uint64_t>(i + 1) * 0x9e3779b97f4a7c15u);
    firsts[i] = unit(bits), seconds[i] = unit(bits << 32);
  }
  cv::Mat left = made.colRange(0, pairs), right = made.colRange(pairs, 2 * pairs);
  if (distribution == Noise::gaussian) {  // Box and Muller 1958
    cv::subtract(cv::Scalar(1), first, first);
    cv::log(first, first);
    first *= -2;
    cv::max(first, 0.0, first);  // a logarithm near 0 may be rounded to the other side
    cv::sqrt(first, first);
    second *= 2 * std::numbers::pi;
    cv::polarToCart(first, second, left, right);
  } else {
    first.convertTo(left, CV_32F, 2, -1);
    second.convertTo(right, CV_32F, 2, -1);
  }
  return made.colRange(0, rows * size.width).reshape(0, rows);
}

cv::Mat smoothed(const cv::Mat& field, const sectile::Extent& size, double sigma, bool approximate) {
  const Smoother smoother(sigma, approximate);
  if (size.depth == 1) return smoothed_plane(field, smoother);
  // The depth first, as long as a slice is one row: [depth, height * width].
  const cv::Mat slices = smoothed_rows(field.reshape(0, size.depth), smoother);
  cv::Mat planes(slices.rows, slices.cols, CV_32F);
  for (int z = 0; z < slices.rows; ++z) {
    const cv::Mat plane = slices.row(z).reshape(0, size.height);
    smoothed_plane(plane, smoother).reshape(0, 1).copyTo(planes.row(z));
  }
  return interpolated_rows(planes, size.depth, smoother.step).reshape(0, size.depth * size.height);
}

}  // namespace elastic
