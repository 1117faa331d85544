// Own BMP decoder: 1, 4 and 8 bits with a palette, 24 and 32 bits, not compressed.
// Layout: Microsoft's BITMAPFILEHEADER, BITMAPCOREHEADER, BITMAPINFOHEADER and its versions 4 and 5.
#include <array>
#include <cstdlib>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

constexpr std::size_t kFileHeader = 14, kCoreHeader = 12, kInfoHeader = 40, kV3Header = 56, kMostHeader = 124;
constexpr int kRgb = 0, kBitFields = 3;

struct Layout {
  int width = 0, height = 0, bits = 0;
  bool top_down = false;
  std::uint64_t palette_at = 0, pixels_at = 0, row_bytes = 0;
  std::size_t colors = 0, color_bytes = 4;
  std::array<int, 4> order{2, 1, 0, 3};  // the bytes of red, green, blue and alpha in a pixel
  int channels = 1;
};

std::uint64_t read_number(const ImageFile& file, std::uint64_t at, int bytes) {
  std::uint8_t number[4];
  if (file.read(at, number, static_cast<std::size_t>(bytes)) != static_cast<std::size_t>(bytes))
    refuse_damaged(file, "its header is incomplete");
  return number_at(number, bytes, false);
}

// The byte that a mask of eight bits selects; -1 for any other mask.
int byte_of(std::uint64_t mask) {
  for (int byte = 0; byte < 4; ++byte)
    if (mask == std::uint64_t{0xff} << (8 * byte)) return byte;
  return -1;
}

void read_masks(const ImageFile& file, std::size_t header_bytes, Layout& layout) {
  const int masks = header_bytes >= kV3Header ? 4 : 3;
  for (int i = 0; i < masks; ++i) {
    const auto mask = read_number(file, kFileHeader + kInfoHeader + static_cast<unsigned>(4 * i), 4);
    if (i == 3 && mask == 0) return;
    layout.order[static_cast<std::size_t>(i)] = byte_of(mask);
    if (byte_of(mask) < 0)
      throw DataError(file.path(), "is a BMP with channels of other than 8 bits. Convert it to PNG");
  }
  if (masks == 4) layout.channels = 4;
}

Layout read_layout(const ImageFile& file) {
  Layout layout;
  const auto field = [&](std::size_t at, int bytes) { return read_number(file, kFileHeader + at, bytes); };
  const std::size_t header_bytes = field(0, 4);
  const bool core = header_bytes == kCoreHeader;
  if (!core && (header_bytes < kInfoHeader || header_bytes > kMostHeader))
    refuse_damaged(file, "its header states " + std::to_string(header_bytes) + " bytes of itself");
  const auto width = core ? field(4, 2) : field(4, 4), stated = core ? field(6, 2) : field(8, 4);
  layout.top_down = !core && stated >> 31;
  const auto height = layout.top_down ? (std::uint64_t{1} << 32) - stated : stated;
  layout.bits = static_cast<int>(core ? field(10, 2) : field(14, 2));
  const auto compression = core ? kRgb : static_cast<int>(field(16, 4));
  if (layout.bits != 1 && layout.bits != 4 && layout.bits != 8 && layout.bits != 24 && layout.bits != 32)
    throw DataError(file.path(), "is a BMP of " + std::to_string(layout.bits) +
                                     " bits per pixel, and 1, 4, 8, 24 and 32 are read. Convert it to PNG");
  if (compression != kRgb && !(compression == kBitFields && layout.bits == 32))
    throw DataError(file.path(), "is a compressed BMP (number " + std::to_string(compression) +
                                     "; RLE and others are not read). Convert it to PNG");
  layout.channels = layout.bits <= 8 ? 1 : 3;
  if (compression == kBitFields) read_masks(file, header_bytes, layout);
  layout.color_bytes = core ? 3 : 4;
  if (layout.bits <= 8) {
    const auto most = std::size_t{1} << layout.bits, colors = core ? 0 : static_cast<std::size_t>(field(32, 4));
    layout.colors = colors == 0 || colors > most ? most : colors;
  }
  layout.palette_at = kFileHeader + header_bytes;
  layout.pixels_at = read_number(file, 10, 4);
  layout.row_bytes = (width * static_cast<unsigned>(layout.bits) + 31) / 32 * 4;
  check_size(file, width, height, layout.pixels_at + layout.row_bytes * height, 1);
  layout.width = static_cast<int>(width);
  layout.height = static_cast<int>(height);
  return layout;
}

Palette read_palette(const ImageFile& file, const Layout& layout) {
  std::array<std::uint8_t, 4 * 256> table{};
  const std::size_t bytes = layout.colors * layout.color_bytes;
  if (file.read(layout.palette_at, table.data(), bytes) != bytes) refuse_damaged(file, "its palette is incomplete");
  Palette palette;
  for (std::size_t at = 0; at < bytes; at += layout.color_bytes)
    palette.push_back({table[at + 2], table[at + 1], table[at]});
  return palette;
}

void copy_row(const std::uint8_t* from, const Layout& layout, cv::Mat row) {
  auto* to = row.ptr<std::uint8_t>();
  if (layout.bits <= 4) return unpack_bits(from, layout.row_bytes, layout.bits, row);
  if (layout.bits == 8) {
    std::copy_n(from, layout.width, to);
    return;
  }
  for (int x = 0; x < layout.width; ++x, from += layout.bits / 8, to += layout.channels)
    for (int c = 0; c < layout.channels; ++c) to[c] = from[layout.order[static_cast<std::size_t>(c)]];
}

ImageHeader header(const ImageFile& file, int) {
  const Layout layout = read_layout(file);
  return {{.size = {layout.width, layout.height},
           .channels = layout.channels,
           .depth = CV_8U,
           .alpha = layout.channels == 4}};
}

DecodedImage decode(const ImageFile& file, int page) {
  if (page != 0) refuse_page(file, page, 1);
  const Layout layout = read_layout(file);
  const FileBytes bytes = file.bytes();
  DecodedImage decoded;
  decoded.alpha = layout.channels == 4;
  if (layout.colors > 0) decoded.image.palette = read_palette(file, layout);
  decoded.image.pixels.create(layout.height, layout.width, CV_8UC(layout.channels));
  const std::uint8_t* row = bytes.data.get() + layout.pixels_at;  // complete: checked by read_layout
  for (int y = 0; y < layout.height; ++y, row += layout.row_bytes)
    copy_row(row, layout, decoded.image.pixels.row(layout.top_down ? y : layout.height - 1 - y));
  return decoded;
}

bool starts(std::string_view bytes) { return bytes.substr(0, 2) == "BM"; }

}  // namespace

const ImageFormat kBmpFormat{"BMP", ".bmp", starts, header, decode};

}  // namespace sectile
