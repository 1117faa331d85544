// Warps and images for tests of what warps do.
#pragma once

#include <cmath>
#include <cstdint>

#include <sectile/random.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>

namespace sectile::test {

inline cv::Mat noise(cv::Size size, int type, std::uint64_t seed = 1) {
  sectile::Random random{seed};
  cv::Mat pixels(size, type);
  for (int y = 0; y < size.height; ++y)
    for (int i = 0; i < size.width * pixels.channels(); ++i) {
      const auto value = random.bits();
      switch (pixels.depth()) {
        case CV_8U:
          pixels.ptr<std::uint8_t>(y)[i] = static_cast<std::uint8_t>(value);
          break;
        case CV_16U:
          pixels.ptr<std::uint16_t>(y)[i] = static_cast<std::uint16_t>(value);
          break;
        case CV_16S:
          pixels.ptr<std::int16_t>(y)[i] = static_cast<std::int16_t>(value);
          break;
        case CV_32S:
          pixels.ptr<std::int32_t>(y)[i] = static_cast<std::int32_t>(value % 1000);
          break;
        default:
          pixels.ptr<float>(y)[i] = static_cast<float>(value % 100000) / 1000.f;
      }
    }
  return pixels;
}

// A displacement, even of zero, is not separable: the same warp by other code.
inline Warp by_reference(Warp warp) {
  warp.displacement = cv::Mat(warp.size.height, warp.size.width, CV_32FC3, cv::Scalar::all(0));
  return warp;
}

inline double difference(const cv::Mat& a, const cv::Mat& b) { return cv::norm(a, b, cv::NORM_INF); }

inline Warp turn(const Extent& size, int quarters) {  // by so many quarters, against the clock
  Warp warp;
  warp.size = quarters % 2 ? Extent{1, size.width, size.height} : size;
  const double w = size.width, h = size.height;
  if (quarters == 1) warp.to_input = {0, -1, 0, w, 1, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1};
  if (quarters == 2) warp.to_input = {-1, 0, 0, w, 0, -1, 0, h, 0, 0, 1, 0, 0, 0, 0, 1};
  if (quarters == 3) warp.to_input = {0, 1, 0, 0, -1, 0, 0, h, 0, 0, 1, 0, 0, 0, 0, 1};
  return warp;
}

inline Warp with(Warp warp, Interpolation how) {
  warp.interpolation = how;
  return warp;
}

inline Warp rotated(const Extent& from, const Extent& to, double degrees) {  // around the middle of both
  const double c = std::cos(degrees * CV_PI / 180), s = std::sin(degrees * CV_PI / 180);
  Warp warp;
  warp.size = to;
  warp.to_input(0, 0) = c, warp.to_input(0, 1) = -s, warp.to_input(1, 0) = s, warp.to_input(1, 1) = c;
  warp.to_input(0, 3) = from.width / 2.0 - c * to.width / 2 + s * to.height / 2;
  warp.to_input(1, 3) = from.height / 2.0 - s * to.width / 2 - c * to.height / 2;
  return warp;
}

inline Sample image_of(const cv::Mat& pixels) {
  Sample sample;
  sample.id = "street";
  sample.image = pixels;
  return sample;
}
inline cv::Mat image_after(const Warp& warp, const cv::Mat& pixels) {
  Sample sample = image_of(pixels);
  apply(warp, sample);
  return sample.image;
}

}  // namespace sectile::test
