// An image format is one file (png.cpp, jpeg.cpp, …) that defines one ImageFormat, and an entry in image_io.cpp.
#pragma once

#include <string_view>

#include <sectile/data/image_io.h>

#include "image_file.h"

namespace sectile {

// The contents of a header. Orientation is the number in EXIF and TIFF, 1 to 8; only image_io.cpp applies it.
struct ImageHeader {
  ImageInfo info{};  // before orientation
  int orientation = 1;
};

struct DecodedImage {
  RawImage image{};  // before orientation
  int orientation = 1;
  bool alpha = false;  // in the last channel
  int white = 0;       // the largest value of 8U and 16U pixels; 0: the full range of the type
};

struct ImageFormat {
  std::string_view name;
  std::string_view suffixes;               // ".tif .tiff"
  bool (*starts)(std::string_view bytes);  // whether a file with these first 16 bytes (or fewer) has this format
  ImageHeader (*header)(const ImageFile& file, int page);   // page: as below
  DecodedImage (*decode)(const ImageFile& file, int page);  // page: 0 if the format has no pages
};

extern const ImageFormat kPngFormat, kJpegFormat, kTiffFormat, kWebpFormat, kBmpFormat, kPnmFormat;

// The orientation that a file states; 1 if it states none, or no known one. Throws DataError.
int stated_orientation(const std::filesystem::path& file);

// Throws DataError unless width and height are from 1 to the maximum, and plausible for the file size: `bytes` is the
// unpacked size of the image, `ratio` the maximum compression ratio of the format.
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
