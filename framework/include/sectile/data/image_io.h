// Image files: reads PNG, JPEG, TIFF, WebP, BMP and PNM, writes PNG and TIFF. When reading, the format is detected from
// the first bytes of the file, never from its name. All functions may be called from several threads at once.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/abi.h>

namespace sectile {

using Palette = std::vector<std::array<std::uint8_t, 3>>;  // RGB, by pixel value

// H x W with 1 to 512 channels: 1 grayscale or palette index, 2 grayscale and alpha, 3 RGB, 4 RGB and alpha; from TIFF
// and PAM any number, with any meaning. 8U or 16U; from TIFF also 16S, 32S and 32F.
struct RawImage {
  cv::Mat pixels{};
  Palette palette{};  // not empty: pixels are 8U indexes into it
};

struct ImageInfo {
  cv::Size size{};  // as in read_raw_image, after orientation
  int channels = 0;
  int depth = 0;  // CV_8U, CV_16U, CV_16S, CV_32S or CV_32F
  int pages = 1;
  bool alpha = false;  // the file declares the second channel of two, or the fourth of four, as alpha
};

struct ReadOptions {
  int page = 0;                        // from 0; only TIFF has more than one
  bool apply_exif_orientation = true;  // false: rows and columns as stored in the file
  bool keep_alpha = false;             // read_image: keep a channel that the file declares as alpha
};

// The stored values: grayscale of 1, 2 and 4 bits becomes 8U of 0 to 1, 3 and 15 (masks keep their numbers). Applied:
// the orientation from EXIF (JPEG, PNG, WebP) and TIFF, conversion of CMYK and YCbCr to RGB, and inversion if 0 is
// white in the file (TIFF, PBM), so that 0 is black. Floating-point samples of 16 and 64 bits become 32F, integers of 8
// signed bits 16S, and of 32 and 64 bits 32S. Not applied: color profiles, gamma and PNG's transparent colors (tRNS).
// Reduced copies and transparency masks in a TIFF are no pages. Throws DataError naming the file and what is wrong with
// it. Sizes in a file are checked before memory is allocated. A JPEG is complete without its end marker, and stray
// bytes before a marker are skipped.
SECTILE_EXPORT RawImage read_raw_image(const std::filesystem::path& file, const ReadOptions& options = {});

// For networks: read_raw_image with palettes applied, alpha dropped (a second or fourth channel that the file declares
// as alpha) unless keep_alpha, 32S as 32F, and values with a smaller range than their type (1, 2 and 4 bits, PNM's
// maxval) scaled to 0..255 or 0..65535. The result has 1 or 3 channels of 8U or 16U, with keep_alpha also 2 or 4; TIFFs
// and PAMs with other channels, and 16S and 32F, are not changed. Also throws DataError for pixels that are NaN,
// infinite, or the lowest or highest 32-bit float, which mark missing data; other such marks (-9999) are numbers.
SECTILE_EXPORT cv::Mat read_image(const std::filesystem::path& file, const ReadOptions& options = {});

// Reads only the header (of a TIFF, that of the page). Throws DataError.
SECTILE_EXPORT ImageInfo read_info(const std::filesystem::path& file, const ReadOptions& options = {});
SECTILE_EXPORT cv::Size read_size(const std::filesystem::path& file, const ReadOptions& options = {});

// Suffixes of image files, in lower case: ".png", ".jpg", … For finding them in a folder.
SECTILE_EXPORT const std::vector<std::string>& image_suffixes();

// 8U or 16U, 1 to 4 channels; with a palette 8U and 1 channel. Written to a temporary file and renamed. Throws
// DataError.
SECTILE_EXPORT void write_png(const std::filesystem::path& file, const cv::Mat& pixels, const Palette& palette = {});

// 8U, 16U, 16S or 32F with 1 to 512 channels, interleaved and deflated; beyond 4 GiB as BigTIFF. With two and four
// channels of 8U and 16U, the last one is alpha, as in RawImage. Written to a temporary file and renamed. Throws
// DataError.
SECTILE_EXPORT void write_tiff(const std::filesystem::path& file, const cv::Mat& pixels);

}  // namespace sectile
