// Converting the pixel layouts of files to rows of whole channels.
#pragma once

#include <cstdint>

#include <opencv2/core/mat.hpp>

namespace sectile {

class ImageFile;

// Unpacks rows of 1, 2 or 4 bits to one byte per value, the first in the highest bits. pixels: 8U.
void unpack_bits(const std::uint8_t* packed, std::size_t row_bytes, int bits, cv::Mat pixels);

// Integers of 32 and 64 bits, as stored in mats of any type with as many bytes, to 32S. Throws DataError for a value
// that does not fit.
cv::Mat int32_of(const ImageFile& file, const cv::Mat& stored, bool is_signed);

// cmyk: 8UC4, 255 is full ink, or none if inverted. Without color profiles, as Pillow does it.
cv::Mat rgb_of_cmyk(const cv::Mat& cmyk, bool inverted);

// The orientation in an EXIF block (which has the layout of a TIFF); 1 if it has none.
int exif_orientation(const std::uint8_t* exif, std::size_t size);
// The same of a block of a file.
int exif_orientation(const ImageFile& file, std::uint64_t at, std::uint64_t size);

// orientation: as in EXIF, 1 (unchanged) to 8; from 5 on, height and width are swapped.
cv::Mat oriented(const cv::Mat& pixels, int orientation);

}  // namespace sectile
