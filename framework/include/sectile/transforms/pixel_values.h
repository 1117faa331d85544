// Changing the values of pixels of any type and number of channels, of images and volumes.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/sample.h>

namespace sectile {

// The value that stands for white: 255, 65535, or 1 for float. Throws DataError for other types, and for float values
// that are far from 0 to 1, below -16 or from 16 on. `transform`: who asks.
SECTILE_EXPORT double largest_value(const Sample& sample, const char* transform);

// Throws DataError unless the image has three channels; `transform`: who asks.
SECTILE_EXPORT void demand_rgb(const Sample& sample, const char* transform);

// [1, pixels], one channel: all values of an image or volume, as a view. image: contiguous.
SECTILE_EXPORT cv::Mat flat_values(const cv::Mat& image);

// An image as it is, and a volume as one whose slices lie below each other: for what looks at single pixels. A view, or
// a copy of what is not contiguous.
SECTILE_EXPORT cv::Mat as_plane(const cv::Mat& image);

// Each value of an 8-bit image or volume becomes its entry in a table of 256, as a new image.
SECTILE_EXPORT cv::Mat looked_up(const cv::Mat& image, const std::vector<std::uint8_t>& table);

// In the hue, saturation and value (HSV; Smith 1978) of floating point images.
struct HsvChange {
  float hue_shift = 0;  // in degrees, -360 to 360
  float saturation_factor = 1;
  float saturation_shift = 0;  // of saturations from 0 to 1, after the factor
  float value_shift = 0;       // of values from 0 to 1
};

// from: an RGB image of 16U or 32F, not a volume. to: of its size and type, to be filled. white: its largest value.
// Gray stays gray. Values above white stay as they are, since float images may go beyond; below 0, there are no colors.
SECTILE_EXPORT void change_hsv(const cv::Mat& from, cv::Mat to, const HsvChange& change, double white);

namespace pixel_values {

// f(from, to, count) of runs of values, which together make up the image, also if it is a view. to: of a new image.
template <class T, class F>
cv::Mat by_runs(const cv::Mat& image, F f) {
  if (image.empty()) return {};
  cv::Mat made(image.dims, image.size.p, image.type());
  const cv::Mat* images[] = {&image, &made, nullptr};
  uchar* runs[2] = {};
  cv::NAryMatIterator each(images, runs);
  const std::size_t count = each.size * static_cast<std::size_t>(image.channels());
  for (std::size_t i = 0; i < each.nplanes; ++i, ++each)
    f(reinterpret_cast<const T*>(runs[0]), reinterpret_cast<T*>(runs[1]), count);
  return made;
}

template <class T, class F>
std::vector<T> table_of(F f) {
  constexpr int kLargest = std::numeric_limits<T>::max();
  std::vector<T> table(static_cast<std::size_t>(kLargest) + 1);
  for (int i = 0; i <= kLargest; ++i)
    table[static_cast<std::size_t>(i)] = static_cast<T>(
        std::clamp(static_cast<float>(f(static_cast<float>(i))), 0.f, static_cast<float>(kLargest)) + 0.5f);
  return table;
}

}  // namespace pixel_values

// f(value) of each value, as a new image. f: float to float. Integers are rounded to the nearest and clipped to their
// range, by a table for 8U and 16U; 32F is neither. Other types throw cv::Exception.
template <class F>
cv::Mat mapped_values(const cv::Mat& image, F f) {
  if (image.depth() == CV_8U) return looked_up(image, pixel_values::table_of<std::uint8_t>(f));
  if (image.depth() == CV_16U)
    return pixel_values::by_runs<std::uint16_t>(
        image, [table = pixel_values::table_of<std::uint16_t>(f)](const auto* from, auto* to, std::size_t count) {
          std::transform(from, from + count, to, [&](std::uint16_t value) { return table[value]; });
        });
  CV_Assert(image.depth() == CV_32F);
  return pixel_values::by_runs<float>(
      image, [&](const float* from, float* to, std::size_t count) { std::transform(from, from + count, to, f); });
}

// f(from, to) of 2-D images of at most four channels, as many as OpenCV's filters take, which together make up the
// image or volume. to: of the size and type of `from`, to be filled. Returns an image like `image`.
template <class F>
cv::Mat in_groups(const cv::Mat& image, F f) {
  cv::Mat made(image.dims, image.size.p, image.type());
  const int slices = image.dims == 3 ? image.size[0] : 1;
  for (int z = 0; z < slices; ++z) {
    const auto slice = [z](const cv::Mat& map) {
      return map.dims == 3 ? cv::Mat(map.size[1], map.size[2], map.type(), const_cast<uchar*>(map.ptr(z)), map.step[1])
                           : map;
    };
    const cv::Mat from = slice(image);
    cv::Mat to = slice(made);
    constexpr int kMost = 4;
    if (image.channels() <= kMost) {
      f(from, to);
      continue;
    }
    for (int first = 0; first < image.channels(); first += kMost) {
      const int count = std::min(kMost, image.channels() - first);
      cv::Mat part(from.size(), CV_MAKETYPE(from.depth(), count)), changed(part.size(), part.type());
      std::vector<int> there, back;
      for (int c = 0; c < count; ++c) {
        there.insert(there.end(), {first + c, c});
        back.insert(back.end(), {c, first + c});
      }
      cv::mixChannels(&from, 1, &part, 1, there.data(), static_cast<std::size_t>(count));
      f(part, changed);
      cv::mixChannels(&changed, 1, &to, 1, back.data(), static_cast<std::size_t>(count));
    }
  }
  return made;
}

}  // namespace sectile
