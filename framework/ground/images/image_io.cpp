// Detects the format from a file's first bytes, and does what is common to all formats.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>
#include <sstream>
#include <string_view>

#include <opencv2/core.hpp>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr const ImageFormat* kFormats[] = {&kPngFormat,  &kJpegFormat, &kTiffFormat,
                                           &kWebpFormat, &kBmpFormat,  &kPnmFormat};

constexpr std::uint64_t kMaxSide = 1u << 20;
constexpr std::uint64_t kMaxPixels = 1u << 29;
constexpr std::size_t kLook = 352;  // first bytes, including NIfTI's magic number

// The name of an unsupported format, by the first bytes of the file; empty if unknown.
std::string_view other_format(std::string_view bytes) {
  using namespace std::string_view_literals;
  static constexpr struct {
    std::size_t at;
    std::string_view magic, name;
  } kOthers[] = {{0, "GIF8"sv, "a GIF file"},
                 {128, "DICM"sv, "a DICOM file"},
                 {344, "n+1\0"sv, "a NIfTI file"},
                 {0, "\x1f\x8b"sv, "a gzipped file"},
                 {0, "%PDF"sv, "a PDF file"},
                 {4, "ftyp"sv, "an AVIF or HEIC file"},
                 {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000 file"},
                 {0, "version https://git-lfs"sv, "a Git LFS pointer, not the file"}};
  for (const auto& other : kOthers)
    if (bytes.size() >= other.at && bytes.substr(other.at).substr(0, other.magic.size()) == other.magic)
      return other.name;
  return {};
}

std::string format_names() {
  std::string names;
  for (const auto* format : kFormats) names += (names.empty() ? "" : ", ") + std::string(format->name);
  return names;
}

const ImageFormat& format_of(const ImageFile& file) {
  char start[kLook];
  const std::string_view bytes(start, file.read(0, start, sizeof start));
  for (const auto* format : kFormats)
    if (format->starts(bytes.substr(0, 16))) return *format;
  const std::string_view name = other_format(bytes);
  throw DataError(file.path(), "is not an image in a supported format (" + format_names() + "); it looks like " +
                                   (name.empty() ? "an unknown format" : std::string(name)) +
                                   ". Convert it to PNG or TIFF");
}

void check_page(const ImageFile& file, int page) {
  if (page < 0) throw DataError(file.path(), "has no page " + std::to_string(page) + ": pages count from 0");
}

[[noreturn]] void refuse_memory(const ImageFile& file, int page) {
  const ImageInfo info = format_of(file).header(file, page).info;
  throw DataError(file.path(), "is " + std::to_string(info.size.width) + " x " + std::to_string(info.size.height) +
                                   " pixels of " + std::to_string(info.channels) +
                                   " channels, for which there is not enough memory");
}

// What a library throws while it reads a file is reported with the file.
template <class Read>
auto naming_file(const ImageFile& file, int page, const Read& read) {
  try {
    return read();
  } catch (const std::bad_alloc&) {
    refuse_memory(file, page);
  } catch (const cv::Exception& error) {
    if (error.code == cv::Error::StsNoMem) refuse_memory(file, page);
    throw DataError(file.path(), "cannot be read: " + error.err);
  }
}

DecodedImage decode(const ImageFile& file, const ReadOptions& options) {
  check_page(file, options.page);
  DecodedImage decoded = format_of(file).decode(file, options.page);
  if (options.apply_exif_orientation) decoded.image.pixels = oriented(decoded.image.pixels, decoded.orientation);
  return decoded;
}

// Not cvtColor, which does not take all types.
cv::Mat without_alpha(const cv::Mat& pixels) {
  cv::Mat kept(pixels.size(), CV_MAKETYPE(pixels.depth(), pixels.channels() - 1));
  static constexpr int kFromTo[] = {0, 0, 1, 1, 2, 2};
  cv::mixChannels(&pixels, 1, &kept, 1, kFromTo, static_cast<std::size_t>(kept.channels()));
  return kept;
}

void refuse_missing_data(const fs::path& path, const cv::Mat& image) {
  if (image.depth() != CV_32F) return;
  const auto is_missing = [](float value) { return !(std::abs(value) < std::numeric_limits<float>::max()); };
  for (int y = 0; y < image.rows; ++y) {
    const auto *row = image.ptr<float>(y), *end = row + image.cols * image.channels();
    if (std::count_if(row, end, is_missing) == 0) continue;  // faster than to stop at the first
    const auto* found = std::find_if(row, end, is_missing);
    std::ostringstream message;
    message << "pixel (" << (found - row) / image.channels() << ", " << y << ") is " << *found
            << ", which marks missing data and would spread over the prediction. Fill such pixels with a number, and "
               "ignore them in the mask";
    throw DataError(path, message.str());
  }
}

cv::Mat look_up(const fs::path& path, const RawImage& image) {
  cv::Mat colors(image.pixels.size(), CV_8UC3);
  for (int y = 0; y < colors.rows; ++y) {
    const auto* from = image.pixels.ptr<std::uint8_t>(y);
    auto* to = colors.ptr<std::uint8_t>(y);
    for (int x = 0; x < colors.cols; ++x, to += 3) {
      if (from[x] >= image.palette.size())
        throw DataError(path, "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ") has palette index " +
                                  std::to_string(from[x]) + ", and the palette has " +
                                  std::to_string(image.palette.size()) + " colors");
      std::copy_n(image.palette[from[x]].data(), 3, to);
    }
  }
  return colors;
}

std::vector<std::string> all_suffixes() {
  std::vector<std::string> suffixes;
  for (const auto* format : kFormats) {
    std::istringstream words{std::string(format->suffixes)};
    for (std::string suffix; words >> suffix;) suffixes.push_back(suffix);
  }
  return suffixes;
}

}  // namespace

void check_size(const ImageFile& file, std::uint64_t width, std::uint64_t height, std::uint64_t bytes,
                std::uint64_t ratio) {
  const std::string size = std::to_string(width) + " x " + std::to_string(height) + " pixels";
  if (width == 0 || height == 0) refuse_damaged(file, "it states " + size);
  if (width > kMaxSide || height > kMaxSide)
    throw DataError(file.path(), "states " + size + ", and sides of up to " + std::to_string(kMaxSide) +
                                     " are read: damaged, or too large");
  if (width * height > kMaxPixels)
    throw DataError(file.path(), "states " + size + ", more than the " + std::to_string(kMaxPixels) + " that are read");
  if (bytes / ratio > file.size())
    throw DataError(file.path(), "states " + size + ", which cannot be in " + std::to_string(file.size()) +
                                     " bytes: damaged or cut short");
}

void refuse_damaged(const ImageFile& file, const std::string& why) {
  throw DataError(file.path(), "is damaged or cut short: " + why);
}

void refuse_page(const ImageFile& file, int page, int pages) {
  throw DataError(file.path(), "has no page " + std::to_string(page) + ": there " + (pages == 1 ? "is " : "are ") +
                                   std::to_string(pages) + (pages == 1 ? " page" : " pages") + ", counted from 0");
}

RawImage read_raw_image(const fs::path& path, const ReadOptions& options) {
  const ImageFile file(path);
  return naming_file(file, options.page, [&] { return decode(file, options).image; });
}

cv::Mat read_image(const fs::path& path, const ReadOptions& options) {
  const ImageFile file(path);
  return naming_file(file, options.page, [&] {
    const DecodedImage decoded = decode(file, options);
    if (!decoded.image.palette.empty()) return look_up(path, decoded.image);
    cv::Mat image = decoded.image.pixels;
    if (decoded.alpha && !options.keep_alpha) image = without_alpha(image);
    const int full = image.depth() == CV_8U ? 255 : 65535;
    if (decoded.white != 0 && decoded.white != full)
      image.convertTo(image, -1, static_cast<double>(full) / decoded.white);
    if (image.depth() == CV_32S) image.convertTo(image, CV_32F);
    refuse_missing_data(path, image);
    return image;
  });
}

ImageInfo read_info(const fs::path& path, const ReadOptions& options) {
  const ImageFile file(path);
  check_page(file, options.page);
  ImageHeader header = format_of(file).header(file, options.page);
  if (options.apply_exif_orientation && header.orientation >= 5)
    std::swap(header.info.size.width, header.info.size.height);
  return header.info;
}

int stated_orientation(const fs::path& path) {
  const ImageFile file(path);
  const int orientation = format_of(file).header(file, 0).orientation;
  return orientation >= 1 && orientation <= 8 ? orientation : 1;
}

cv::Size read_size(const fs::path& file, const ReadOptions& options) { return read_info(file, options).size; }

const std::vector<std::string>& image_suffixes() {
  static const std::vector<std::string> suffixes = all_suffixes();
  return suffixes;
}

}  // namespace sectile
