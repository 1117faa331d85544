#include "slanted_warp.h"

#include <cstddef>
#include <cstring>
#include <limits>

#include "slanted_blends.h"
#include "slanted_rows.h"

namespace sectile {
namespace {

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
  return plane && SourcePixels::fits(from) &&
         static_cast<std::size_t>(warp.size.width) * static_cast<std::size_t>(warp.size.height) < kMost;
}

std::int32_t* SlantedWarp::nearest_of_row(int row) const {
  nearest_.create(warp_.size.height, warp_.size.width, CV_32S);
  return nearest_.ptr<std::int32_t>(row);
}

void SlantedWarp::nearest(const cv::Mat& from, cv::Mat& to, const void* fill) const {
  if (nearest_.empty()) {
    const Slant slant(warp_, from_);
    SlantedRow buffers(warp_.size.width);
    for (int y = 0; y < warp_.size.height; ++y) place_nearest(slant, y, buffers, nearest_of_row(y));
  }
  const cv::Mat whole = from.isContinuous() ? from : from.clone();
  copy_pixels(whole.data, nearest_.ptr<std::int32_t>(), nearest_.total(), static_cast<const std::uint8_t*>(fill),
              from.elemSize(), to.data);
}

template <class Place, class Blend, class T>
void SlantedWarp::blend(const cv::Mat& from, cv::Mat& to, const T* fill, Place place, Blend blend_row) const {
  const Slant slant(warp_, from_);
  const SourcePixels source(from);
  SlantedRow row(to.cols);
  for (int y = 0; y < to.rows; ++y) {
    place(slant, y, source.steps, row, nearest_of_row(y));
    blend_row(source, row, static_cast<std::size_t>(to.cols), fill, to.ptr<T>(y));
  }
}

template <class T>
void SlantedWarp::linear(const cv::Mat& from, cv::Mat& to, const T* fill) const {
  blend(from, to, fill, place_linear, linear_blend<T>(from.channels()));
}
template <class T>
void SlantedWarp::cubic(const cv::Mat& from, cv::Mat& to, const T* fill) const {
  blend(from, to, fill, place_cubic, cubic_blend<T>(from.channels()));
}

template void SlantedWarp::linear<std::uint8_t>(const cv::Mat&, cv::Mat&, const std::uint8_t*) const;
template void SlantedWarp::linear<std::uint16_t>(const cv::Mat&, cv::Mat&, const std::uint16_t*) const;
template void SlantedWarp::linear<std::int16_t>(const cv::Mat&, cv::Mat&, const std::int16_t*) const;
template void SlantedWarp::linear<float>(const cv::Mat&, cv::Mat&, const float*) const;
template void SlantedWarp::cubic<std::uint8_t>(const cv::Mat&, cv::Mat&, const std::uint8_t*) const;
template void SlantedWarp::cubic<std::uint16_t>(const cv::Mat&, cv::Mat&, const std::uint16_t*) const;
template void SlantedWarp::cubic<std::int16_t>(const cv::Mat&, cv::Mat&, const std::int16_t*) const;
template void SlantedWarp::cubic<float>(const cv::Mat&, cv::Mat&, const float*) const;

}  // namespace sectile
