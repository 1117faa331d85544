// WebP through libwebp: still images, lossy and lossless.
#include <cstring>

#include <webp/decode.h>
#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

constexpr std::size_t kStart = 64;  // bytes, more than all headers before those of the pixels
// A lossless image of one color takes a few bytes at any size; beyond this many pixels it is an attack, not a
// image.
constexpr std::uint64_t kFreePixels = 1u << 24, kPixelsPerByte = 4096;
constexpr std::uint64_t kRiffHeader = 12, kChunkHeader = 8;

WebPBitstreamFeatures features_of(const ImageFile& file, const std::uint8_t* bytes, std::size_t size) {
  WebPBitstreamFeatures features{};
  const VP8StatusCode status = WebPGetFeatures(bytes, size, &features);
  if (status != VP8_STATUS_OK)
    refuse_damaged(file, status == VP8_STATUS_NOT_ENOUGH_DATA ? "its header is incomplete" : "it has no WebP header");
  if (features.has_animation)
    throw DataError(file.path(), "is an animated WebP, and single images are read. Save its frames as PNG");
  const auto width = static_cast<std::uint64_t>(features.width), height = static_cast<std::uint64_t>(features.height);
  check_size(file, width, height, width * height <= kFreePixels ? 0 : width * height, kPixelsPerByte);
  return features;
}

// The EXIF chunk comes after the pixels; it is found without reading them.
int orientation_of(const ImageFile& file) {
  std::uint8_t chunk[kChunkHeader];
  for (std::uint64_t at = kRiffHeader; file.read(at, chunk, kChunkHeader) == kChunkHeader;) {
    const std::uint64_t size = number_at(chunk + 4, 4, false);
    at += kChunkHeader;
    if (std::memcmp(chunk, "EXIF", 4) == 0) return exif_orientation(file, at, size);
    at += size + size % 2;
  }
  return 1;
}

ImageHeader header_of(const ImageFile& file, const WebPBitstreamFeatures& features) {
  return {.info = {.size = {features.width, features.height},
                   .channels = features.has_alpha ? 4 : 3,
                   .depth = CV_8U,
                   .alpha = features.has_alpha != 0},
          .orientation = orientation_of(file)};
}

ImageHeader header(const ImageFile& file, int) {
  std::uint8_t bytes[kStart];
  const std::size_t size = file.read(0, bytes, kStart);
  return header_of(file, features_of(file, bytes, size));
}

DecodedImage decode(const ImageFile& file, int page) {
  if (page != 0) refuse_page(file, page, 1);
  const FileBytes bytes = file.bytes();
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig(&config)) throw DataError(file.path(), "cannot be read: another libwebp was built with");
  config.input = features_of(file, bytes.data.get(), bytes.size);
  const ImageHeader header = header_of(file, config.input);

  DecodedImage decoded;
  decoded.orientation = header.orientation;
  decoded.alpha = header.info.alpha;
  cv::Mat& pixels = decoded.image.pixels;
  pixels.create(header.info.size, CV_8UC(header.info.channels));
  config.output.colorspace = decoded.alpha ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA = {pixels.data, static_cast<int>(pixels.step[0]), pixels.step[0] * header.info.size.height};
  const VP8StatusCode status = WebPDecode(bytes.data.get(), bytes.size, &config);
  WebPFreeDecBuffer(&config.output);
  if (status == VP8_STATUS_OUT_OF_MEMORY) throw std::bad_alloc();
  if (status != VP8_STATUS_OK)
    refuse_damaged(file,
                   status == VP8_STATUS_NOT_ENOUGH_DATA ? "its pixels are incomplete" : "its pixels do not decode");
  return decoded;
}

bool starts(std::string_view bytes) {
  return bytes.substr(0, 4) == "RIFF" && bytes.size() >= 12 && bytes.substr(8, 4) == "WEBP";
}

}  // namespace

const ImageFormat kWebpFormat{"WebP", ".webp", starts, header, decode};

}  // namespace sectile
