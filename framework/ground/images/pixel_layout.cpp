#include "pixel_layout.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <sectile/error.h>

#include "image_format.h"

namespace sectile {
namespace {

constexpr int kOrientationTag = 0x0112, kShort = 3;
constexpr int kTile = 64;  // pixels: transposing in small squares keeps rows and columns in the cache

template <std::size_t kSize>
void copy_pixels(const std::uint8_t* from, std::ptrdiff_t step, int count, std::uint8_t* to, std::size_t size) {
  const std::size_t bytes = kSize ? kSize : size;
  for (int i = 0; i < count; ++i, from += step, to += bytes) std::memcpy(to, from, bytes);
}

template <class Stored>
cv::Mat narrowed(const ImageFile& file, const cv::Mat& stored) {
  cv::Mat narrow(stored.size(), CV_32SC(stored.channels()));
  for (int y = 0; y < stored.rows; ++y) {
    const auto* from = stored.ptr<Stored>(y);
    auto* to = narrow.ptr<std::int32_t>(y);
    for (int i = 0; i < stored.cols * stored.channels(); ++i) {
      if (!std::in_range<std::int32_t>(from[i]))
        throw DataError(file.path(), "has the value " + std::to_string(from[i]) +
                                         ", and integers of up to 31 bits are read. Convert it");
      to[i] = static_cast<std::int32_t>(from[i]);
    }
  }
  return narrow;
}

}  // namespace

cv::Mat int32_of(const ImageFile& file, const cv::Mat& stored, bool is_signed) {
  if (stored.elemSize1() == sizeof(std::int64_t))
    return is_signed ? narrowed<std::int64_t>(file, stored) : narrowed<std::uint64_t>(file, stored);
  return is_signed ? stored : narrowed<std::uint32_t>(file, stored);
}

void unpack_bits(const std::uint8_t* packed, std::size_t row_bytes, int bits, cv::Mat pixels) {
  const int mask = (1 << bits) - 1;
  for (int y = 0; y < pixels.rows; ++y, packed += row_bytes) {
    auto* row = pixels.ptr<std::uint8_t>(y);
    for (int x = 0; x < pixels.cols; ++x) {
      const auto bit = static_cast<std::size_t>(x) * static_cast<unsigned>(bits);
      row[x] = static_cast<std::uint8_t>((packed[bit / 8] >> (8 - bits - static_cast<int>(bit % 8))) & mask);
    }
  }
}

cv::Mat rgb_of_cmyk(const cv::Mat& cmyk, bool inverted) {
  cv::Mat rgb(cmyk.size(), CV_8UC3);
  const int flip = inverted ? 255 : 0;
  for (int y = 0; y < rgb.rows; ++y) {
    const auto* from = cmyk.ptr<std::uint8_t>(y);
    auto* to = rgb.ptr<std::uint8_t>(y);
    for (int x = 0; x < rgb.cols; ++x, from += 4, to += 3) {
      const int light = 255 - (from[3] ^ flip);
      for (int c = 0; c < 3; ++c) to[c] = static_cast<std::uint8_t>(light - ((from[c] ^ flip) * light + 127) / 255);
    }
  }
  return rgb;
}

int exif_orientation(const std::uint8_t* exif, std::size_t size) {
  if (size < 8 || (std::memcmp(exif, "II*", 4) != 0 && std::memcmp(exif, "MM\0*", 4) != 0)) return 1;
  const bool big = exif[0] == 'M';
  const std::size_t directory = number_at(exif + 4, 4, big);
  if (directory > size - 2) return 1;
  const std::size_t entries = number_at(exif + directory, 2, big);
  for (std::size_t i = 0, at = directory + 2; i < entries && at + 12 <= size; ++i, at += 12) {
    if (number_at(exif + at, 2, big) != kOrientationTag || number_at(exif + at + 2, 2, big) != kShort) continue;
    const auto orientation = number_at(exif + at + 8, 2, big);
    return orientation >= 1 && orientation <= 8 ? static_cast<int>(orientation) : 1;
  }
  return 1;
}

int exif_orientation(const ImageFile& file, std::uint64_t at, std::uint64_t size) {
  std::uint8_t exif[1024];  // the first directory, which comes first
  const std::size_t got = file.read(at, exif, std::min<std::uint64_t>(size, sizeof exif));
  const std::size_t mark = got >= 6 && std::memcmp(exif, "Exif\0", 6) == 0 ? 6 : 0;  // as in JPEG; optional
  return exif_orientation(exif + mark, got - mark);
}

cv::Mat oriented(const cv::Mat& pixels, int orientation) {
  if (orientation <= 1 || orientation > 8) return pixels;
  const bool right =
      orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;  // starts at the right
  const bool bottom = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
  const bool swapped = orientation >= 5;
  const std::size_t size = pixels.elemSize();
  const auto row = static_cast<std::ptrdiff_t>(pixels.step[0]), pixel = static_cast<std::ptrdiff_t>(size);
  const auto along = right ? -pixel : pixel, down = bottom ? -row : row;
  const std::uint8_t* corner = pixels.ptr(bottom ? pixels.rows - 1 : 0) + (right ? (pixels.cols - 1) * pixel : 0);

  cv::Mat turned(swapped ? cv::Size(pixels.rows, pixels.cols) : pixels.size(), pixels.type());
  const auto copy = size == 1 ? &copy_pixels<1> : size == 3 ? &copy_pixels<3> : &copy_pixels<0>;
  const auto next_x = swapped ? down : along, next_y = swapped ? along : down;
  for (int top = 0; top < turned.rows; top += kTile)
    for (int left = 0; left < turned.cols; left += kTile)
      for (int y = top; y < std::min(turned.rows, top + kTile); ++y)
        copy(corner + y * next_y + left * next_x, next_x, std::min(kTile, turned.cols - left),
             turned.ptr(y) + static_cast<std::size_t>(left) * size, size);
  return turned;
}

}  // namespace sectile
