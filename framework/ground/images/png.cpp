// PNG through libspng.
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>

#include <spng.h>
#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSignature = "\x89PNG\r\n\x1a\n";
constexpr std::uint64_t kDeflateRatio = 1032;  // no deflate stream expands further (zlib's technical notes)
constexpr std::size_t kHeaderBytes = 8 + 25;   // signature, IHDR
constexpr std::size_t kMaxChunk = 64u << 20;   // of other data: profiles, texts
constexpr std::uint64_t kChunkHeader = 8, kChecksum = 4;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

int channels_of(const spng_ihdr& header) {
  switch (header.color_type) {
    case SPNG_COLOR_TYPE_GRAYSCALE_ALPHA:
      return 2;
    case SPNG_COLOR_TYPE_TRUECOLOR:
      return 3;
    case SPNG_COLOR_TYPE_TRUECOLOR_ALPHA:
      return 4;
    default:
      return 1;
  }
}

// All of the signature, or of what there is of it.
bool starts(std::string_view bytes) {
  return !bytes.empty() && bytes.substr(0, 8) == kSignature.substr(0, bytes.size());
}

spng_ihdr read_header(const ImageFile& file, const FileBytes& bytes, spng_ctx* context) {
  if (bytes.size < kSignature.size())
    throw DataError(file.path(), "is cut short: only " + std::to_string(bytes.size) + " bytes of a PNG file");
  spng_set_chunk_limits(context, kMaxChunk, kMaxChunk);
  spng_set_png_buffer(context, bytes.data.get(), bytes.size);
  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context, &header)) refuse_damaged(file, spng_strerror(code));
  const std::uint64_t bits =
      std::uint64_t{header.width} * header.bit_depth * static_cast<unsigned>(channels_of(header));
  check_size(file, header.width, header.height, (bits + 7) / 8 * header.height, kDeflateRatio);
  return header;
}

ImageInfo info_of(const spng_ihdr& header) {
  return {.size = {static_cast<int>(header.width), static_cast<int>(header.height)},
          .channels = channels_of(header),
          .depth = header.bit_depth == 16 ? CV_16U : CV_8U,
          .alpha = channels_of(header) % 2 == 0};
}

// eXIf may come before or after the pixels; it is found without reading them.
int orientation_of(const ImageFile& file) {
  std::uint8_t chunk[kChunkHeader];
  for (std::uint64_t at = kSignature.size(); file.read(at, chunk, kChunkHeader) == kChunkHeader;) {
    const std::uint64_t size = number_at(chunk, 4, true);
    at += kChunkHeader;
    if (std::memcmp(chunk + 4, "eXIf", 4) == 0) return exif_orientation(file, at, size);
    at += size + kChecksum;
  }
  return 1;
}

ImageHeader header(const ImageFile& file, int) {
  FileBytes bytes{std::make_unique<std::uint8_t[]>(kHeaderBytes)};
  bytes.size = file.read(0, bytes.data.get(), kHeaderBytes);
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  return {info_of(read_header(file, bytes, context.get())), orientation_of(file)};
}

Palette read_palette(const ImageFile& file, spng_ctx* context) {
  spng_plte table{};
  if (const int code = spng_get_plte(context, &table)) refuse_damaged(file, spng_strerror(code));
  Palette palette;
  for (std::uint32_t i = 0; i < table.n_entries; ++i)
    palette.push_back({table.entries[i].red, table.entries[i].green, table.entries[i].blue});
  return palette;
}

DecodedImage decode(const ImageFile& file, int page) {
  if (page != 0) refuse_page(file, page, 1);
  const FileBytes bytes = file.bytes();
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  const spng_ihdr header = read_header(file, bytes, context.get());
  std::size_t size = 0;
  if (const int code = spng_decoded_image_size(context.get(), SPNG_FMT_PNG, &size))
    refuse_damaged(file, spng_strerror(code));

  DecodedImage decoded;
  const ImageInfo info = info_of(header);
  cv::Mat& pixels = decoded.image.pixels;
  pixels.create(info.size, CV_MAKETYPE(info.depth, info.channels));
  decoded.white = (1 << header.bit_depth) - 1;
  decoded.alpha = info.alpha;
  decoded.orientation = orientation_of(file);
  const bool packed = header.bit_depth < 8;
  const auto packed_rows = packed ? std::make_unique<std::uint8_t[]>(size) : nullptr;
  if (!packed && size != pixels.total() * pixels.elemSize()) refuse_damaged(file, "it decodes to an unexpected size");
  if (const int code =
          spng_decode_image(context.get(), packed ? packed_rows.get() : pixels.data, size, SPNG_FMT_PNG, 0))
    refuse_damaged(file, spng_strerror(code));
  if (packed) unpack_bits(packed_rows.get(), size / header.height, header.bit_depth, pixels);
  if (header.color_type == SPNG_COLOR_TYPE_INDEXED) decoded.image.palette = read_palette(file, context.get());
  return decoded;
}

spng_ihdr header_for(const fs::path& path, const cv::Mat& pixels, const Palette& palette) {
  if (pixels.empty() || pixels.dims != 2)
    throw DataError(path, "cannot be written: the image is empty or not a 2-D image");
  const int depth = pixels.depth(), channels = pixels.channels();
  if ((depth != CV_8U && depth != CV_16U) || channels > 4)
    throw DataError(
        path, "cannot be written: PNG holds 8U and 16U of 1 to 4 channels, this is " + cv::typeToString(pixels.type()));
  if (!palette.empty() && (pixels.type() != CV_8UC1 || palette.size() > 256))
    throw DataError(path, "cannot be written: a palette has up to 256 colors and needs 8U with 1 channel");
  static constexpr std::uint8_t kColorTypes[] = {SPNG_COLOR_TYPE_GRAYSCALE, SPNG_COLOR_TYPE_GRAYSCALE_ALPHA,
                                                 SPNG_COLOR_TYPE_TRUECOLOR, SPNG_COLOR_TYPE_TRUECOLOR_ALPHA};
  spng_ihdr header{};
  header.width = static_cast<std::uint32_t>(pixels.cols);
  header.height = static_cast<std::uint32_t>(pixels.rows);
  header.bit_depth = depth == CV_8U ? 8 : 16;
  header.color_type = palette.empty() ? kColorTypes[channels - 1] : std::uint8_t{SPNG_COLOR_TYPE_INDEXED};
  return header;
}

using Encoded = std::unique_ptr<void, decltype(&std::free)>;

Encoded encode(const fs::path& path, const cv::Mat& pixels, const Palette& palette, std::size_t& size) {
  spng_ihdr header = header_for(path, pixels, palette);
  const Context context(spng_ctx_new(SPNG_CTX_ENCODER));
  if (!context) throw std::bad_alloc();
  const auto check = [&](int code) {
    if (code != 0) throw DataError(path, std::string("cannot be written: ") + spng_strerror(code));
  };
  check(spng_set_option(context.get(), SPNG_ENCODE_TO_BUFFER, 1));
  check(spng_set_ihdr(context.get(), &header));
  if (!palette.empty()) {
    double largest = 0;
    cv::minMaxLoc(pixels, nullptr, &largest);
    if (largest >= static_cast<double>(palette.size()))
      throw DataError(path, "cannot be written: it has palette index " + std::to_string(static_cast<int>(largest)) +
                                ", and the palette has " + std::to_string(palette.size()) + " colors");
    spng_plte table{};
    table.n_entries = static_cast<std::uint32_t>(palette.size());
    for (std::size_t i = 0; i < palette.size(); ++i)
      table.entries[i] = {palette[i][0], palette[i][1], palette[i][2], 255};
    check(spng_set_plte(context.get(), &table));
  }
  const cv::Mat rows = pixels.isContinuous() ? pixels : pixels.clone();
  check(
      spng_encode_image(context.get(), rows.data, rows.total() * rows.elemSize(), SPNG_FMT_PNG, SPNG_ENCODE_FINALIZE));
  int code = 0;
  Encoded encoded(spng_get_png_buffer(context.get(), &size, &code), &std::free);
  check(code);
  return encoded;
}

}  // namespace

const ImageFormat kPngFormat{"PNG", ".png", starts, header, decode};

void write_png(const fs::path& path, const cv::Mat& pixels, const Palette& palette) {
  std::size_t size = 0;
  const Encoded encoded = encode(path, pixels, palette, size);
  ReplacedFile file(path);
  std::fwrite(encoded.get(), 1, size, file.stream());
  file.commit();
}

}  // namespace sectile
