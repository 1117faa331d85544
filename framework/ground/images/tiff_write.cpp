// Writing TIFF: deflated strips of interleaved channels.
#include <cstdio>
#include <string>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "image_file.h"
#include "tiff.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kStripBytes = 1u << 18;      // large enough to compress well
constexpr std::uint64_t kClassicBytes = 0xf0000000;  // beyond, offsets may not fit 32 bits

std::FILE* stream_of(thandle_t handle) { return static_cast<std::FILE*>(handle); }

tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
  return static_cast<tmsize_t>(std::fread(to, 1, static_cast<std::size_t>(count), stream_of(handle)));
}
tmsize_t write(thandle_t handle, void* from, tmsize_t count) {
  return static_cast<tmsize_t>(std::fwrite(from, 1, static_cast<std::size_t>(count), stream_of(handle)));
}
toff_t seek(thandle_t handle, toff_t offset, int whence) {
  if (fseeko(stream_of(handle), static_cast<off_t>(offset), whence) != 0) return static_cast<toff_t>(-1);
  return static_cast<toff_t>(ftello(stream_of(handle)));
}
int close(thandle_t) { return 0; }
toff_t size(thandle_t handle) {
  const off_t at = ftello(stream_of(handle));
  fseeko(stream_of(handle), 0, SEEK_END);
  const off_t end = ftello(stream_of(handle));
  fseeko(stream_of(handle), at, SEEK_SET);
  return static_cast<toff_t>(end);
}

void check(const fs::path& path, const cv::Mat& pixels) {
  if (pixels.empty() || pixels.dims != 2)
    throw DataError(path, "cannot be written: the image is empty or not a 2-D image");
  const int depth = pixels.depth();
  if (depth != CV_8U && depth != CV_16U && depth != CV_16S && depth != CV_32F)
    throw DataError(path, "cannot be written: 8U, 16U, 16S and 32F are written as TIFF, this is " +
                              cv::typeToString(pixels.type()));
}

void set_fields(TIFF* tiff, const cv::Mat& pixels) {
  const int depth = pixels.depth(), channels = pixels.channels();
  const bool image = (depth == CV_8U || depth == CV_16U) && channels <= 4;
  const bool rgb = image && channels >= 3, alpha = image && channels % 2 == 0;
  const auto rows =
      std::max<std::uint64_t>(1, kStripBytes / (static_cast<std::size_t>(pixels.cols) * pixels.elemSize()));
  TIFFSetField(tiff, TIFFTAG_IMAGEWIDTH, static_cast<std::uint32_t>(pixels.cols));
  TIFFSetField(tiff, TIFFTAG_IMAGELENGTH, static_cast<std::uint32_t>(pixels.rows));
  TIFFSetField(tiff, TIFFTAG_SAMPLESPERPIXEL, channels);
  TIFFSetField(tiff, TIFFTAG_BITSPERSAMPLE, static_cast<int>(8 * pixels.elemSize1()));
  TIFFSetField(tiff, TIFFTAG_SAMPLEFORMAT,
               depth == CV_32F   ? SAMPLEFORMAT_IEEEFP
               : depth == CV_16S ? SAMPLEFORMAT_INT
                                 : SAMPLEFORMAT_UINT);
  TIFFSetField(tiff, TIFFTAG_PHOTOMETRIC, rgb ? PHOTOMETRIC_RGB : PHOTOMETRIC_MINISBLACK);
  TIFFSetField(tiff, TIFFTAG_PLANARCONFIG, PLANARCONFIG_CONTIG);
  TIFFSetField(tiff, TIFFTAG_COMPRESSION, COMPRESSION_ADOBE_DEFLATE);
  TIFFSetField(tiff, TIFFTAG_ROWSPERSTRIP, static_cast<std::uint32_t>(std::min<std::uint64_t>(rows, pixels.rows)));
  const int extras = channels - (rgb ? 3 : 1);
  const std::vector<std::uint16_t> kinds(static_cast<std::size_t>(extras),
                                         alpha ? EXTRASAMPLE_UNASSALPHA : EXTRASAMPLE_UNSPECIFIED);
  if (extras > 0) TIFFSetField(tiff, TIFFTAG_EXTRASAMPLES, extras, kinds.data());
}

bool write_strips(TIFF* tiff, const cv::Mat& pixels) {
  std::uint32_t rows = 0;
  TIFFGetField(tiff, TIFFTAG_ROWSPERSTRIP, &rows);
  cv::Mat strip;  // libtiff may modify its input
  for (int y = 0; y < pixels.rows; y += static_cast<int>(rows)) {
    pixels.rowRange(y, std::min(pixels.rows, y + static_cast<int>(rows))).copyTo(strip);
    const auto bytes = static_cast<tmsize_t>(strip.total() * strip.elemSize());
    if (TIFFWriteEncodedStrip(tiff, TIFFComputeStrip(tiff, static_cast<std::uint32_t>(y), 0), strip.data, bytes) !=
        bytes)
      return false;
  }
  return TIFFFlush(tiff) != 0;
}

}  // namespace

void write_tiff(const fs::path& path, const cv::Mat& pixels) {
  check(path, pixels);
  ReplacedFile file(path);
  TiffMessages messages;
  const TiffOptions options = tiff_options(messages);
  const bool big = pixels.total() * pixels.elemSize() > kClassicBytes;
  {
    const Tiff tiff(TIFFClientOpenExt(path.c_str(), big ? "w8" : "w", file.stream(), read, write, seek, close, size,
                                      nullptr, nullptr, options.get()));
    if (tiff) set_fields(tiff.get(), pixels);
    if (!tiff || !write_strips(tiff.get(), pixels))
      throw DataError(path, std::string("cannot be written: ") + messages.text);
  }
  file.commit();
}

}  // namespace sectile
