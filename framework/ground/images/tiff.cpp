// TIFF with libtiff, which handles compressions and byte orders; pages, layouts and checks are here.
#include "tiff.h"

#include <cstdarg>
#include <cstdio>
#include <cstring>
#include <vector>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

constexpr std::uint64_t kSpare = 1u << 20;  // bytes: of libtiff's own tables

// One page, according to its directory.
struct Layout {
  std::uint32_t width = 0, height = 0;
  std::uint32_t block_width = 0, block_height = 0;  // of a tile or a strip
  std::uint16_t bits = 0, samples = 0, format = 0, photometric = 0, planar = 0, compression = 0, orientation = 0;
  bool tiled = false, alpha = false, to_rgb = false;  // to_rgb: JPEG's YCbCr, by the codec

  unsigned planes() const { return planar == PLANARCONFIG_SEPARATE ? samples : 1u; }
  unsigned samples_per_plane() const { return planar == PLANARCONFIG_SEPARATE ? 1u : samples; }
  std::uint64_t row_bytes(std::uint64_t columns) const { return (columns * samples_per_plane() * bits + 7) / 8; }
  std::uint64_t block_bytes() const { return row_bytes(block_width) * block_height; }
  std::uint64_t all_bytes() const {
    if (!tiled) return row_bytes(width) * height * planes();
    const std::uint64_t across = (width + block_width - 1) / block_width,
                        down = (height + block_height - 1) / block_height;
    return across * down * block_bytes() * planes();
  }
  bool is_cmyk() const { return photometric == PHOTOMETRIC_SEPARATED; }
};

// An ImageFile for libtiff.
struct Stream {
  const ImageFile& file;
  std::uint64_t at = 0;
  TiffMessages messages{};
};

Stream& stream_of(thandle_t handle) { return *static_cast<Stream*>(handle); }

tmsize_t read(thandle_t handle, void* to, tmsize_t count) {
  Stream& stream = stream_of(handle);
  const std::size_t got = stream.file.read(stream.at, to, static_cast<std::size_t>(count));
  stream.at += got;
  return static_cast<tmsize_t>(got);
}
tmsize_t write(thandle_t, void*, tmsize_t) { return -1; }
toff_t seek(thandle_t handle, toff_t offset, int whence) {
  Stream& stream = stream_of(handle);
  stream.at = whence == SEEK_SET ? offset : whence == SEEK_CUR ? stream.at + offset : stream.file.size() + offset;
  return stream.at;
}
int close(thandle_t) { return 0; }
toff_t size(thandle_t handle) { return stream_of(handle).file.size(); }

[[noreturn]] void refuse(const Stream& stream) { refuse_damaged(stream.file, stream.messages.text); }

[[noreturn]] void refuse_kind(const ImageFile& file, const std::string& found, const std::string& read) {
  throw DataError(file.path(), "is a TIFF of an unsupported kind: it has " + found + ", and the supported kinds are " +
                                   read + ". Convert it");
}

// most_memory: libtiff's limit per allocation.
Tiff open(Stream& stream, std::uint64_t directory, std::uint64_t most_memory) {
  const TiffOptions options = tiff_options(stream.messages);
  TIFFOpenOptionsSetMaxSingleMemAlloc(options.get(), static_cast<tmsize_t>(most_memory));
  // h: read no directory yet; m: no mapping; c: strips as they are
  Tiff tiff(TIFFClientOpenExt(stream.file.path().c_str(), "rhmc", &stream, read, write, seek, close, size, nullptr,
                              nullptr, options.get()));
  if (!tiff || !TIFFSetSubDirectory(tiff.get(), directory)) refuse(stream);
  return tiff;
}

std::uint16_t field(TIFF* tiff, std::uint32_t tag) {
  std::uint16_t value = 0;
  TIFFGetFieldDefaulted(tiff, tag, &value);
  return value;
}

// The maximum compression ratio, unpacked to packed.
std::uint64_t ratio_of(const ImageFile& file, const Layout& layout) {
  switch (layout.compression) {
    case COMPRESSION_NONE:
      return 1;
    case COMPRESSION_PACKBITS:
      return 64;  // 2 bytes are at most 128
    case COMPRESSION_LZW:
      return 1400;  // 3837 codes of 9 to 12 bits, each one byte longer than the previous
    case COMPRESSION_ADOBE_DEFLATE:
    case COMPRESSION_DEFLATE:
      return 1032;  // zlib's technical notes
    case COMPRESSION_JPEG:
      return 4096;  // a bit for each block of 64 samples; subsampled 4 x 4 and made RGB
    case COMPRESSION_CCITTRLE:
    case COMPRESSION_CCITTRLEW:
    case COMPRESSION_CCITTFAX3:
    case COMPRESSION_CCITTFAX4:
      return layout.block_width;  // a row like the one above takes one bit
    default:
      refuse_kind(file, "compression " + std::to_string(layout.compression),
                  "none, LZW, deflate, PackBits, JPEG and CCITT");
  }
}

// The depth in read_raw_image; -1 if unsupported.
int depth_of(const Layout& layout) {
  const int bits = layout.bits;
  switch (layout.format) {
    case SAMPLEFORMAT_UINT:
    case SAMPLEFORMAT_VOID:
      if (bits == 16) return CV_16U;
      if (bits == 32 || bits == 64) return CV_32S;
      return bits == 8 || (layout.samples == 1 && (bits == 1 || bits == 2 || bits == 4)) ? CV_8U : -1;
    case SAMPLEFORMAT_INT:
      if (bits == 32 || bits == 64) return CV_32S;
      return bits == 8 || bits == 16 ? CV_16S : -1;
    case SAMPLEFORMAT_IEEEFP:
      return bits == 16 || bits == 32 || bits == 64 ? CV_32F : -1;
    default:
      return -1;
  }
}

void check_samples(const ImageFile& file, const Layout& layout) {
  if (layout.samples == 0 || layout.samples > CV_CN_MAX)
    throw DataError(file.path(), "states " + std::to_string(layout.samples) + " channels, and 1 to " +
                                     std::to_string(CV_CN_MAX) + " are read");
  if (depth_of(layout) < 0) {
    static constexpr const char* kFormats[] = {"",        "unsigned", "signed", "floating-point",
                                               "untyped", "complex",  "complex"};
    const char* format = layout.format < std::size(kFormats) ? kFormats[layout.format] : "unknown";
    refuse_kind(
        file,
        std::to_string(layout.bits) + "-bit " + format + " samples, " + std::to_string(layout.samples) + " per pixel",
        "integers of 8, 16, 32 and 64 bits (unsigned of 1, 2 and 4 with one per pixel), floating-point of 16, 32 and "
        "64");
  }
}

void check_colors(const ImageFile& file, const Layout& layout) {
  const auto need = [&](bool fits, const char* what) {
    if (!fits)
      refuse_kind(file,
                  std::string(what) + " of " + std::to_string(layout.samples) + " samples of " +
                      std::to_string(layout.bits) + " bits, compression " + std::to_string(layout.compression),
                  "RGB of 3 and more, palettes of 1 of up to 8 bits, CMYK of 4 of 8 bits, YCbCr of 3 within JPEG");
  };
  switch (layout.photometric) {
    case PHOTOMETRIC_MINISWHITE:
    case PHOTOMETRIC_MINISBLACK:
    case PHOTOMETRIC_MASK:
      return;
    case PHOTOMETRIC_RGB:
      return need(layout.samples >= 3, "RGB");
    case PHOTOMETRIC_PALETTE:
      return need(layout.samples == 1 && depth_of(layout) == CV_8U, "a palette");
    case PHOTOMETRIC_SEPARATED:
      return need(layout.samples == 4 && depth_of(layout) == CV_8U, "CMYK");
    case PHOTOMETRIC_YCBCR:
      return need(layout.samples == 3 && layout.to_rgb, "YCbCr");
    default:
      refuse_kind(file, "colors of kind " + std::to_string(layout.photometric), "grey, RGB, palettes, CMYK and YCbCr");
  }
}

void read_blocks(const ImageFile& file, TIFF* tiff, Layout& layout) {
  layout.tiled = TIFFIsTiled(tiff) != 0;
  if (layout.tiled) {
    TIFFGetField(tiff, TIFFTAG_TILEWIDTH, &layout.block_width);
    TIFFGetField(tiff, TIFFTAG_TILELENGTH, &layout.block_height);
  } else {
    TIFFGetFieldDefaulted(tiff, TIFFTAG_ROWSPERSTRIP, &layout.block_height);
    layout.block_width = layout.width;
    layout.block_height = std::min(layout.block_height, layout.height);
  }
  constexpr std::uint32_t kMost = 1u << 24;  // so that no product overflows
  if (layout.block_width == 0 || layout.block_height == 0 || layout.block_width > kMost || layout.block_height > kMost)
    refuse_damaged(file, "its blocks are " + std::to_string(layout.block_width) + " x " +
                             std::to_string(layout.block_height) + " pixels");
}

Layout read_layout(const ImageFile& file, TIFF* tiff) {
  Layout layout;
  TIFFGetField(tiff, TIFFTAG_IMAGEWIDTH, &layout.width);
  TIFFGetField(tiff, TIFFTAG_IMAGELENGTH, &layout.height);
  layout.bits = field(tiff, TIFFTAG_BITSPERSAMPLE);
  layout.samples = field(tiff, TIFFTAG_SAMPLESPERPIXEL);
  layout.format = field(tiff, TIFFTAG_SAMPLEFORMAT);
  layout.planar = field(tiff, TIFFTAG_PLANARCONFIG);
  layout.compression = field(tiff, TIFFTAG_COMPRESSION);
  layout.orientation = field(tiff, TIFFTAG_ORIENTATION);
  if (!TIFFGetField(tiff, TIFFTAG_PHOTOMETRIC, &layout.photometric)) layout.photometric = PHOTOMETRIC_MINISBLACK;
  layout.to_rgb = layout.photometric == PHOTOMETRIC_YCBCR && layout.compression == COMPRESSION_JPEG &&
                  layout.planar == PLANARCONFIG_CONTIG;
  if (layout.to_rgb) TIFFSetField(tiff, TIFFTAG_JPEGCOLORMODE, JPEGCOLORMODE_RGB);

  std::uint16_t extras = 0, *kinds = nullptr;
  TIFFGetFieldDefaulted(tiff, TIFFTAG_EXTRASAMPLES, &extras, &kinds);
  layout.alpha = extras == 1 && kinds[0] != EXTRASAMPLE_UNSPECIFIED &&
                 layout.samples == (layout.photometric == PHOTOMETRIC_RGB ? 4 : 2);
  check_size(file, layout.width, layout.height, 0, 1);
  check_samples(file, layout);
  check_colors(file, layout);
  read_blocks(file, tiff, layout);
  check_size(file, layout.width, layout.height, layout.all_bytes(), ratio_of(file, layout));
  if (!TIFFIsCODECConfigured(layout.compression))
    throw DataError(file.path(), "is compressed in a way (number " + std::to_string(layout.compression) +
                                     ") that this libtiff was built without. Convert it");
  return layout;
}

Layout read_layout(const ImageFile& file, std::uint64_t directory) {
  Stream stream{file};
  return read_layout(file, open(stream, directory, 2 * file.size() + kSpare).get());
}

ImageInfo info_of(const Layout& layout) {
  return {.size = {static_cast<int>(layout.width), static_cast<int>(layout.height)},
          .channels = layout.is_cmyk() ? 3 : layout.samples,
          .depth = depth_of(layout),
          .alpha = layout.alpha};
}

// As in the file, except one byte per sample of 1, 2 and 4 bits. 16-bit floating-point is 16S, integers of 64 bits are
// 64F, and unsigned ones of 32 bits 32S.
int stored_type(const Layout& layout) {
  const int depth = layout.bits == 64                                           ? CV_64F
                    : layout.format == SAMPLEFORMAT_INT && layout.bits == 8     ? CV_8S
                    : layout.format == SAMPLEFORMAT_IEEEFP && layout.bits == 16 ? CV_16S
                                                                                : depth_of(layout);
  return CV_MAKETYPE(depth, layout.samples);
}

// Interleaves rows of one plane with the other planes.
void place(const std::uint8_t* from, std::size_t row_bytes, std::size_t pixel_bytes, cv::Mat to, std::size_t offset) {
  const std::size_t step = to.elemSize();
  for (int y = 0; y < to.rows; ++y, from += row_bytes) {
    std::uint8_t* row = to.ptr(y) + offset;
    if (step == pixel_bytes) {
      std::memcpy(row, from, static_cast<std::size_t>(to.cols) * step);
      continue;
    }
    const std::uint8_t* pixel = from;
    for (int x = 0; x < to.cols; ++x, row += step, pixel += pixel_bytes) std::memcpy(row, pixel, pixel_bytes);
  }
}

// One tile or strip of one plane, at (x, y), into the image.
void decode_block(Stream& stream, TIFF* tiff, const Layout& layout, std::uint32_t x, std::uint32_t y,
                  std::uint16_t plane, std::vector<std::uint8_t>& buffer, cv::Mat& pixels) {
  const auto columns = std::min(layout.block_width, layout.width - x),
             rows = std::min(layout.block_height, layout.height - y);
  const std::uint64_t row_bytes = layout.row_bytes(layout.block_width);
  const auto bytes = static_cast<tmsize_t>(row_bytes * (layout.tiled ? layout.block_height : rows));
  const bool direct = !layout.tiled && layout.planes() == 1 && layout.bits >= 8;
  if (!direct) buffer.resize(static_cast<std::size_t>(bytes));
  void* to = direct ? pixels.ptr(static_cast<int>(y)) : buffer.data();
  const auto got = layout.tiled ? TIFFReadEncodedTile(tiff, TIFFComputeTile(tiff, x, y, 0, plane), to, bytes)
                                : TIFFReadEncodedStrip(tiff, TIFFComputeStrip(tiff, y, plane), to, bytes);
  if (got != bytes || stream.messages.damaged) refuse(stream);
  if (direct) return;
  cv::Mat part =
      pixels(cv::Rect(static_cast<int>(x), static_cast<int>(y), static_cast<int>(columns), static_cast<int>(rows)));
  if (layout.bits < 8) return unpack_bits(buffer.data(), row_bytes, layout.bits, part);
  place(buffer.data(), row_bytes, pixels.elemSize1() * layout.samples_per_plane(), part, plane * pixels.elemSize1());
}

cv::Mat decode_blocks(Stream& stream, TIFF* tiff, const Layout& layout) {
  const auto whole =
      static_cast<std::uint64_t>(layout.tiled ? TIFFTileSize(tiff) : TIFFVStripSize(tiff, layout.block_height));
  if (whole != layout.block_bytes()) refuse_damaged(stream.file, "its blocks are of an unexpected size");
  cv::Mat pixels(static_cast<int>(layout.height), static_cast<int>(layout.width), stored_type(layout));
  std::vector<std::uint8_t> buffer;
  stream.messages.warnings_count = true;
  for (unsigned plane = 0; plane < layout.planes(); ++plane)
    for (std::uint32_t y = 0; y < layout.height; y += layout.block_height)
      for (std::uint32_t x = 0; x < layout.width; x += layout.block_width)
        decode_block(stream, tiff, layout, x, y, static_cast<std::uint16_t>(plane), buffer, pixels);
  return pixels;
}

// 16 bits to 8, except for writers that store 8-bit values (as libtiff's tools do).
Palette read_palette(const ImageFile& file, TIFF* tiff, const Layout& layout) {
  std::uint16_t* colors[3] = {};
  if (!TIFFGetField(tiff, TIFFTAG_COLORMAP, &colors[0], &colors[1], &colors[2]))
    refuse_damaged(file, "it has no palette");
  const std::size_t count = std::size_t{1} << layout.bits;
  int shift = 0;
  for (const auto* channel : colors)
    for (std::size_t i = 0; i < count; ++i)
      if (channel[i] > 255) shift = 8;
  Palette palette(count);
  for (std::size_t i = 0; i < count; ++i)
    for (std::size_t c = 0; c < 3; ++c) palette[i][c] = static_cast<std::uint8_t>(colors[c][i] >> shift);
  return palette;
}

// 0 is white in the file. Alpha and other channels after the first are not changed.
void turn_round(cv::Mat& pixels, int white) {
  cv::Mat grey;
  cv::extractChannel(pixels, grey, 0);
  cv::subtract(white, grey, grey);
  cv::insertChannel(grey, pixels, 0);
}

ImageHeader header(const ImageFile& file, int page) {
  const auto offsets = page_offsets(file, kMaxTiffPages + 1);
  const auto pages = static_cast<int>(offsets.size());
  if (page >= pages) refuse_page(file, page, pages);
  const Layout layout = read_layout(file, offsets[static_cast<std::size_t>(page)]);
  ImageHeader header{info_of(layout), layout.orientation};
  header.info.pages = pages;
  return header;
}

DecodedImage decode(const ImageFile& file, int page) {
  const std::uint64_t directory = page_offset(file, page);
  const Layout stated = read_layout(file, directory);
  Stream stream{file};
  const Tiff tiff = open(stream, directory, 2 * file.size() + 2 * stated.block_bytes() + kSpare);
  const Layout layout = read_layout(file, tiff.get());

  DecodedImage decoded;
  decoded.orientation = layout.orientation;
  decoded.alpha = layout.alpha;
  cv::Mat& pixels = decoded.image.pixels;
  pixels = decode_blocks(stream, tiff.get(), layout);
  const int depth = depth_of(layout);
  if (depth == CV_32F && pixels.depth() == CV_16S)
    cv::convertFp16(pixels, pixels);
  else if (depth == CV_32S)
    pixels = int32_of(file, pixels, layout.format == SAMPLEFORMAT_INT);
  else if (depth != pixels.depth())
    pixels.convertTo(pixels, depth);
  if (depth == CV_8U || depth == CV_16U) decoded.white = (1 << layout.bits) - 1;
  if (layout.photometric == PHOTOMETRIC_MINISWHITE && decoded.white != 0) turn_round(pixels, decoded.white);
  if (layout.photometric == PHOTOMETRIC_PALETTE) decoded.image.palette = read_palette(file, tiff.get(), layout);
  if (layout.is_cmyk()) pixels = rgb_of_cmyk(pixels, false);
  return decoded;
}

bool starts(std::string_view bytes) {
  using namespace std::string_view_literals;
  const auto start = bytes.substr(0, 4);
  return start == "II*\0"sv || start == "MM\0*"sv || start == "II+\0"sv || start == "MM\0+"sv;
}

int on_problem(TiffMessages& messages, const char* module, const char* format, std::va_list arguments) {
  const int used = std::snprintf(messages.text, sizeof messages.text, "%s: ", module ? module : "TIFF");
  const auto at = std::min(static_cast<std::size_t>(std::max(used, 0)), sizeof messages.text - 1);
  std::vsnprintf(messages.text + at, sizeof messages.text - at, format, arguments);
  return 1;  // recorded; nothing is printed
}

}  // namespace

TiffOptions tiff_options(TiffMessages& messages) {
  TiffOptions options(TIFFOpenOptionsAlloc());
  if (!options) throw std::bad_alloc();
  const auto on_error = [](TIFF*, void* data, const char* module, const char* format, std::va_list arguments) {
    auto& told = *static_cast<TiffMessages*>(data);
    told.damaged = true;
    return on_problem(told, module, format, arguments);
  };
  const auto on_warning = [](TIFF*, void* data, const char* module, const char* format, std::va_list arguments) {
    auto& told = *static_cast<TiffMessages*>(data);
    if (!told.warnings_count) return 1;
    told.damaged = true;
    return on_problem(told, module, format, arguments);
  };
  TIFFOpenOptionsSetErrorHandlerExtR(options.get(), on_error, &messages);
  TIFFOpenOptionsSetWarningHandlerExtR(options.get(), on_warning, &messages);
  return options;
}

const ImageFormat kTiffFormat{"TIFF", ".tif .tiff", starts, header, decode};

}  // namespace sectile
