// From the ways in which files lay out pixels to rows of whole channels.
#pragma once

#include <cstdint>

#include <opencv2/core/mat.hpp>

namespace sectile {

// One byte per value out of packed rows of 1, 2 or 4 bits, the first in the highest bits. pixels: 8U.
void unpack_bits(const std::uint8_t* packed, std::size_t row_bytes, int bits, cv::Mat pixels);

// cmyk: 8UC4, 255 is full ink, or none if inverted. Without color profiles, as Pillow does it.
cv::Mat rgb_of_cmyk(const cv::Mat& cmyk, bool inverted);

// The orientation of an EXIF block (which is laid out as a TIFF); 1 where it has none.
int exif_orientation(const std::uint8_t* exif, std::size_t size);

// orientation: EXIF's numbers, 1 (as it is) to 8; from 5 on, height and width change places.
cv::Mat oriented(const cv::Mat& pixels, int orientation);

}  // namespace sectile
