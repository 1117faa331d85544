// An image format is one file (png.cpp, jpeg.cpp, …) that defines one ImageFormat, and its row in image_io.cpp.
#pragma once

#include <string_view>

#include <sectile/data/image_io.h>

#include "image_file.h"

namespace sectile {

// As a header states it. Orientation is EXIF's and TIFF's number, 1 to 8; image_io.cpp applies it, and nothing else
// does.
struct ImageHeader {
  ImageInfo info{};  // before orientation
  int orientation = 1;
};

struct DecodedImage {
  RawImage image{};  // before orientation
  int orientation = 1;
  bool alpha = false;  // the last channel
  int white = 0;       // the largest value that pixels of 8U and 16U may have; 0: all of the depth
};

struct ImageFormat {
  std::string_view name;
  std::string_view suffixes;                                // ".tif .tiff"
  bool (*starts)(std::string_view bytes);                   // whether a file that starts so (16 bytes, or all) is one
  ImageHeader (*header)(const ImageFile& file, int page);   // page: as below
  DecodedImage (*decode)(const ImageFile& file, int page);  // page: 0 where there are no pages
};

extern const ImageFormat kPngFormat, kJpegFormat, kTiffFormat, kWebpFormat, kBmpFormat, kPnmFormat;

// Throws DataError unless the sides are from 1 to the most that is read, and the file can hold so much:
// `bytes` is the size of the image when it is unpacked, `ratio` how far the format's compression goes at most.
void check_size(const ImageFile& file, std::uint64_t width, std::uint64_t height, std::uint64_t bytes,
                std::uint64_t ratio);

// "is damaged or cut short: <why>"
[[noreturn]] void refuse_damaged(const ImageFile& file, const std::string& why);
[[noreturn]] void refuse_page(const ImageFile& file, int page, int pages);

// The number of up to 8 bytes.
inline std::uint64_t number_at(const std::uint8_t* bytes, int count, bool big_endian) {
  std::uint64_t number = 0;
  for (int i = 0; i < count; ++i) number = number << 8 | bytes[big_endian ? i : count - 1 - i];
  return number;
}

}  // namespace sectile
