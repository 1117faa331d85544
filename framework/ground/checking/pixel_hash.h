// Recognizes images with the same pixels.
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>

#include <opencv2/core/mat.hpp>

namespace sectile {

// 128 bits: among a billion different images, two are taken for the same with a probability of 1e-21. Not for files
// that somebody made to collide.
struct PixelHash {
  std::uint64_t low = 0, high = 0;
  bool operator==(const PixelHash&) const = default;

  struct Bucket {
    std::size_t operator()(const PixelHash& hash) const { return static_cast<std::size_t>(hash.low); }
  };
};

// Of size, type and pixels. The image may be a view of a larger one.
PixelHash hash_of(const cv::Mat& image);

bool is_constant(const cv::Mat& image);  // all its pixels are equal

}  // namespace sectile
