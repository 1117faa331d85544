#include <sectile/transforms/lossy_compression.h>

#include <algorithm>
#include <csetjmp>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>

#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include <webp/decode.h>
#include <webp/encode.h>

#include <opencv2/imgproc.hpp>

#include <sectile/error.h>
#include <sectile/transforms/pixel_values.h>

namespace sectile {
namespace {

constexpr int kLargestJpeg = JPEG_MAX_DIMENSION, kLargestWebp = WEBP_MAX_DIMENSION;
constexpr std::size_t kBlock = 16;         // pixels along the side of what JPEG codes together, with color at half size
constexpr std::size_t kBytesPerPixel = 3;  // at most, with the block's color
constexpr std::size_t kHeader = 2048;

// Outlives the function that libjpeg leaves by longjmp.
struct JpegPair {
  explicit JpegPair(const cv::Mat& image) : capacity(room_for(image)), bytes(new JOCTET[capacity]) {}
  ~JpegPair() {
    jpeg_destroy_compress(&writer);
    jpeg_destroy_decompress(&reader);
  }
  JpegPair(const JpegPair&) = delete;
  JpegPair& operator=(const JpegPair&) = delete;

  // libjpeg-turbo's own bound (its tjBufSize), so that memory never grows while its code, in C, is on the stack.
  static std::size_t room_for(const cv::Mat& image) {
    const auto whole = [](int length) { return (static_cast<std::size_t>(length) + kBlock - 1) / kBlock * kBlock; };
    return whole(image.cols) * whole(image.rows) * kBytesPerPixel + kHeader;
  }

  jpeg_compress_struct writer{};
  jpeg_decompress_struct reader{};
  jpeg_error_mgr errors{};
  jpeg_destination_mgr destination{};
  std::jmp_buf escape{};
  std::size_t capacity;
  std::unique_ptr<JOCTET[]> bytes;
  char message[JMSG_LENGTH_MAX] = {};
};

JpegPair& pair_of(j_common_ptr jpeg) { return *static_cast<JpegPair*>(jpeg->client_data); }

[[noreturn]] void leave(j_common_ptr jpeg) {
  JpegPair& pair = pair_of(jpeg);
  jpeg->err->format_message(jpeg, pair.message);
  std::longjmp(pair.escape, 1);
}

void start_writing(j_compress_ptr writer) {
  JpegPair& pair = pair_of(reinterpret_cast<j_common_ptr>(writer));
  pair.destination.next_output_byte = pair.bytes.get();
  pair.destination.free_in_buffer = pair.capacity;
}

boolean write_more(j_compress_ptr writer) {
  ERREXIT(writer, JERR_CANT_SUSPEND);
  return FALSE;
}

// libjpeg leaves this function by longjmp: nothing in it has a destructor. result: of the image's size and type.
bool write_and_read(JpegPair& pair, const cv::Mat& image, int quality, cv::Mat& result) {
  jpeg_compress_struct& writer = pair.writer;
  jpeg_decompress_struct& reader = pair.reader;
  writer.err = reader.err = jpeg_std_error(&pair.errors);
  writer.client_data = reader.client_data = &pair;
  pair.errors.error_exit = leave;
  pair.errors.emit_message = [](j_common_ptr, int) {};  // of bytes that were just made
  if (setjmp(pair.escape)) return false;

  jpeg_create_compress(&writer);
  pair.destination.init_destination = start_writing;
  pair.destination.empty_output_buffer = write_more;
  pair.destination.term_destination = [](j_compress_ptr) {};
  writer.dest = &pair.destination;
  writer.image_width = static_cast<JDIMENSION>(image.cols);
  writer.image_height = static_cast<JDIMENSION>(image.rows);
  writer.input_components = image.channels();
  writer.in_color_space = image.channels() == 1 ? JCS_GRAYSCALE : JCS_RGB;
  jpeg_set_defaults(&writer);
  jpeg_set_quality(&writer, quality, TRUE);
  jpeg_start_compress(&writer, TRUE);
  while (writer.next_scanline < writer.image_height) {
    JSAMPROW row = const_cast<JSAMPROW>(image.ptr(static_cast<int>(writer.next_scanline)));
    jpeg_write_scanlines(&writer, &row, 1);
  }
  jpeg_finish_compress(&writer);

  jpeg_create_decompress(&reader);
  jpeg_mem_src(&reader, pair.bytes.get(), static_cast<unsigned long>(pair.capacity - pair.destination.free_in_buffer));
  jpeg_read_header(&reader, TRUE);
  reader.out_color_space = writer.in_color_space;
  jpeg_start_decompress(&reader);
  while (reader.output_scanline < reader.output_height) {
    JSAMPROW row = result.ptr(static_cast<int>(reader.output_scanline));
    jpeg_read_scanlines(&reader, &row, 1);
  }
  jpeg_finish_decompress(&reader);
  return true;
}

// Both of one size and type.
void through_jpeg(const cv::Mat& image, int quality, const std::string& where, cv::Mat& result) {
  const auto pair = std::make_unique<JpegPair>(image);
  if (!write_and_read(*pair, image, quality, result))
    throw DataError(where, std::string("cannot be compressed as JPEG: ").append(pair->message));
}

void through_webp(const cv::Mat& image, int quality, const std::string& where, cv::Mat& result) {
  const bool gray = image.channels() == 1;  // which WebP is not
  cv::Mat rgb = image, decoded = result;
  if (gray) cv::cvtColor(image, rgb, cv::COLOR_GRAY2RGB);
  if (gray) decoded = cv::Mat(rgb.size(), rgb.type());
  std::uint8_t* bytes = nullptr;
  const std::size_t size =
      WebPEncodeRGB(rgb.data, rgb.cols, rgb.rows, static_cast<int>(rgb.step[0]), static_cast<float>(quality), &bytes);
  const std::unique_ptr<std::uint8_t, decltype(&WebPFree)> owner(bytes, &WebPFree);
  const auto row = static_cast<int>(decoded.step[0]);
  const std::size_t room = decoded.step[0] * static_cast<std::size_t>(decoded.rows);
  if (size == 0 || !WebPDecodeRGBInto(bytes, size, decoded.data, room, row))
    throw DataError(where, "cannot be compressed as WebP: is there enough memory?");
  if (gray) cv::cvtColor(decoded, result, cv::COLOR_RGB2GRAY);
}

}  // namespace

void demand_compressible(const cv::Mat& image, LossyFormat format, const std::string& where) {
  const bool jpeg = format == LossyFormat::jpeg;
  if (image.type() != CV_8UC1 && image.type() != CV_8UC3)
    throw DataError(where, std::string("is ").append(cv::typeToString(image.type())) +
                               ", and only images of 8 bits, gray or RGB (CV_8UC1 or CV_8UC3), are compressed: convert "
                               "it, or remove the transform");
  const Extent size = extent(image);
  const int largest = jpeg ? kLargestJpeg : kLargestWebp;
  if (std::max(size.width, size.height) > largest)
    throw DataError(where, std::string("has ").append(std::to_string(size.height)) + " x " +
                               std::to_string(size.width) + " pixels, and a " + (jpeg ? "JPEG" : "WebP") +
                               " has at most " + std::to_string(largest) + " along a side: resize or crop it before");
}

cv::Mat after_compression(const cv::Mat& image, LossyFormat format, int quality, const std::string& where) {
  demand_compressible(image, format, where);
  const bool jpeg = format == LossyFormat::jpeg;
  return in_groups(
      image, [&](const cv::Mat& from, cv::Mat to) { (jpeg ? through_jpeg : through_webp)(from, quality, where, to); });
}

}  // namespace sectile
