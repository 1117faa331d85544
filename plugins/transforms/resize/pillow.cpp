#include "pillow.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <numbers>
#include <stdexcept>
#include <type_traits>
#include <vector>

namespace resize {
namespace {

// Weights of 8-bit pixels are integers, in units of 2^-22: a sum with overshoot still fits in 32 bits.
constexpr int kFractionBits = 22;

struct Kernel {
  double radius;
  double (*value)(double distance);
};

double triangle(double x) { return std::max(0.0, 1 - std::abs(x)); }

double cubic(double x) {  // Keys (1981), with a = -0.5; OpenCV's has a = -0.75
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  return x < 2 ? (((x - 5) * x + 8) * x - 4) * a : 0;
}

double sinc(double x) { return x == 0 ? 1 : std::sin(std::numbers::pi * x) / (std::numbers::pi * x); }
double lanczos(double x) { return std::abs(x) < 3 ? sinc(x) * sinc(x / 3) : 0; }

Kernel kernel(PillowFilter filter) {
  switch (filter) {
    case PillowFilter::bicubic:
      return {2, cubic};
    case PillowFilter::lanczos:
      return {3, lanczos};
    default:
      return {1, triangle};
  }
}

template <class T>
using Sum = std::conditional_t<std::is_same_v<T, std::uint8_t>, std::int32_t, double>;

// One row or column of the result is a weighted sum of consecutive ones.
template <class T>
struct Taps {
  int first = 0;
  std::vector<Sum<T>> weights{};
};

// Where the image shrinks, the kernel is stretched to the distance between pixels of the result: this is the antialias.
template <class T>
std::vector<Taps<T>> make_taps(int from, int to, const Kernel& kernel) {
  const double scale = static_cast<double>(from) / to, stretch = std::max(1.0, scale), density = 1 / stretch;
  const double radius = kernel.radius * stretch;
  std::vector<Taps<T>> all(static_cast<std::size_t>(to));
  std::vector<double> values;
  for (int i = 0; i < to; ++i) {
    auto& taps = all[static_cast<std::size_t>(i)];
    const double center = (i + 0.5) * scale;
    taps.first = std::max(0, static_cast<int>(center - radius + 0.5));
    const int end = std::min(from, static_cast<int>(center + radius + 0.5));
    values.clear();
    double sum = 0;
    for (int k = taps.first; k < end; ++k) {
      values.push_back(kernel.value((k - center + 0.5) * density));
      sum += values.back();
    }
    for (const double value : values)
      if constexpr (std::is_same_v<T, std::uint8_t>)
        taps.weights.push_back(static_cast<std::int32_t>(std::lround(value / sum * (1 << kFractionBits))));
      else
        taps.weights.push_back(value / sum);
  }
  return all;
}

template <class T>
T rounded(Sum<T> sum) {
  if constexpr (std::is_same_v<T, std::uint8_t>)
    return cv::saturate_cast<T>((sum + (1 << (kFractionBits - 1))) >> kFractionBits);
  else if constexpr (std::is_same_v<T, float>)
    return static_cast<float>(sum);
  else
    return cv::saturate_cast<T>(std::round(sum));  // halves away from zero
}

// Resizes one axis of [outer, length, inner] values: the columns of H rows with C values in each, or the rows of one
// image with W * C values in each.
template <class T>
void resize_axis(const T* from, T* to, std::size_t outer, int length, std::size_t inner,
                 const std::vector<Taps<T>>& all) {
  std::vector<Sum<T>> sums(inner);
  for (std::size_t o = 0; o < outer; ++o, from += static_cast<std::size_t>(length) * inner)
    for (const auto& taps : all) {
      std::fill(sums.begin(), sums.end(), Sum<T>{0});
      const T* source = from + static_cast<std::size_t>(taps.first) * inner;
      for (const auto weight : taps.weights)
        for (std::size_t i = 0; i < inner; ++i) sums[i] += weight * static_cast<Sum<T>>(*source++);
      for (const auto sum : sums) *to++ = rounded<T>(sum);
    }
}

template <class T>
cv::Mat resample(cv::Mat image, cv::Size size, const Kernel& kernel) {
  const auto channels = static_cast<std::size_t>(image.channels());
  if (!image.isContinuous()) image = image.clone();
  if (size.width != image.cols) {
    cv::Mat narrow(image.rows, size.width, image.type());
    resize_axis(image.ptr<T>(), narrow.ptr<T>(), static_cast<std::size_t>(image.rows), image.cols, channels,
                make_taps<T>(image.cols, size.width, kernel));
    image = narrow;
  }
  if (size.height != image.rows) {
    cv::Mat low(size, image.type());
    resize_axis(image.ptr<T>(), low.ptr<T>(), 1, image.rows, static_cast<std::size_t>(image.cols) * channels,
                make_taps<T>(image.rows, size.height, kernel));
    image = low;
  }
  return image;
}

// The pixel that each center lies in. Positions are summed up step by step, as in Pillow: where a center is on the
// border of two pixels, the rounding decides.
std::vector<int> nearest_pixels(int from, int to) {
  const double step = static_cast<double>(from) / to;
  double position = step / 2;
  std::vector<int> pixels;
  for (int i = 0; i < to; ++i, position += step) pixels.push_back(std::min(static_cast<int>(position), from - 1));
  return pixels;
}

cv::Mat pick(const cv::Mat& image, cv::Size size) {
  const auto rows = nearest_pixels(image.rows, size.height), columns = nearest_pixels(image.cols, size.width);
  cv::Mat picked(size, image.type());
  for (int y = 0; y < size.height; ++y) {
    const auto* source = image.ptr(rows[static_cast<std::size_t>(y)]);
    auto* to = picked.ptr(y);
    for (const int x : columns) {
      std::memcpy(to, source + static_cast<std::size_t>(x) * image.elemSize(), image.elemSize());
      to += image.elemSize();
    }
  }
  return picked;
}

}  // namespace

cv::Mat resized_as_pillow(const cv::Mat& image, cv::Size size, PillowFilter filter) {
  if (filter == PillowFilter::nearest) return pick(image, size);
  switch (image.depth()) {
    case CV_8U:
      return resample<std::uint8_t>(image, size, kernel(filter));
    case CV_16U:
      return resample<std::uint16_t>(image, size, kernel(filter));
    case CV_16S:
      return resample<std::int16_t>(image, size, kernel(filter));
    case CV_32F:
      return resample<float>(image, size, kernel(filter));
    default:
      throw std::invalid_argument("images are 8U, 16U, 16S or 32F, this is " + cv::typeToString(image.type()));
  }
}

}  // namespace resize
