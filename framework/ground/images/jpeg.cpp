// JPEG through libjpeg-turbo's libjpeg interface.
#include <csetjmp>
#include <cstddef>
#include <cstdio>
#include <cstring>
#include <memory>

#include <jpeglib.h>
// after jpeglib.h
#include <jerror.h>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "../file_notes.h"
#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

constexpr int kExifMarker = JPEG_APP0 + 1;
constexpr std::string_view kExif{"Exif\0\0", 6};
constexpr std::size_t kBuffer = 1u << 15;
constexpr int kPadding = 16;  // bytes between markers, written by some cameras
constexpr JOCTET kEnd[] = {0xff, JPEG_EOI};
// Every 8 x 8 block of samples costs at least a bit. Each scan of a progressive file visits blocks, and may take next
// to no bytes; so the visits are limited by the file's size (libjpeg-turbo's advice is a limit of scans).
constexpr std::uint64_t kBlocksPerByte = 8, kVisits = 20'000'000, kVisitsPerByte = 100;

// Outlives the functions that libjpeg leaves by longjmp.
struct Decoder {
  explicit Decoder(const ImageFile& from) : file(from) {}
  ~Decoder() { jpeg_destroy_decompress(&jpeg); }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;

  jpeg_decompress_struct jpeg{};
  jpeg_error_mgr errors{};
  jpeg_source_mgr source{};
  jpeg_progress_mgr progress{};
  std::jmp_buf escape{};
  const ImageFile& file;
  std::uint64_t next = 0;    // byte of the file
  std::uint64_t blocks = 0;  // of all components
  bool unsupported = false;  // not damaged
  bool ended = false;        // the file, before its end marker
  bool stray = false;        // bytes were skipped before a marker
  char message[JMSG_LENGTH_MAX] = {};
  JOCTET buffer[kBuffer];
};

bool is_restart(int marker) { return marker >= JPEG_RST0 && marker <= JPEG_RST0 + 7; }

Decoder& decoder_of(j_common_ptr jpeg) { return *static_cast<Decoder*>(jpeg->client_data); }

[[noreturn]] void give_up(j_common_ptr jpeg) {
  Decoder& decoder = decoder_of(jpeg);
  const int code = jpeg->err->msg_code;
  decoder.unsupported = code == JERR_SOF_UNSUPPORTED || code == JERR_BAD_PRECISION || code == JERR_CONVERSION_NOTIMPL;
  jpeg->err->format_message(jpeg, decoder.message);
  std::longjmp(decoder.escape, 1);
}

// Level -1 is a warning: the data is corrupt. All decoders skip stray bytes before a marker; many of them before one
// that is within a scan mean that its codes did not add up.
void on_message(j_common_ptr jpeg, int level) {
  if (level >= 0) return;
  const auto& error = *jpeg->err;
  const bool skipped = error.msg_code == JWRN_EXTRANEOUS_DATA, padding = skipped && error.msg_parm.i[0] <= kPadding;
  const bool harmless = error.msg_code == JWRN_JFIF_MAJOR || error.msg_code == JWRN_ADOBE_XFORM ||
                        error.msg_code == JWRN_NOT_SEQUENTIAL || padding ||
                        (skipped && !is_restart(error.msg_parm.i[1]));
  if (!harmless) give_up(jpeg);
  if (skipped && !padding) decoder_of(jpeg).stray = true;
}

// Behind the file, an end marker is read: if pixels are missing, the decoder finds it before it has them all.
boolean fill(j_decompress_ptr jpeg) {
  Decoder& decoder = decoder_of(reinterpret_cast<j_common_ptr>(jpeg));
  decoder.source.bytes_in_buffer = decoder.file.read(decoder.next, decoder.buffer, kBuffer);
  decoder.source.next_input_byte = decoder.buffer;
  decoder.next += decoder.source.bytes_in_buffer;
  if (decoder.source.bytes_in_buffer > 0) return TRUE;
  decoder.ended = true;
  decoder.source.next_input_byte = kEnd;
  decoder.source.bytes_in_buffer = sizeof kEnd;
  return TRUE;
}

void skip(j_decompress_ptr jpeg, long count) {
  if (count <= 0) return;
  Decoder& decoder = decoder_of(reinterpret_cast<j_common_ptr>(jpeg));
  const auto bytes = static_cast<std::size_t>(count), here = std::min(bytes, decoder.source.bytes_in_buffer);
  decoder.source.next_input_byte += here;
  decoder.source.bytes_in_buffer -= here;
  decoder.next += bytes - here;
}

void limit_visits(j_common_ptr jpeg) {
  Decoder& decoder = decoder_of(jpeg);
  const auto scans = static_cast<std::uint64_t>(decoder.jpeg.input_scan_number);
  if (scans * decoder.blocks <= kVisits + kVisitsPerByte * decoder.file.size()) return;
  std::snprintf(decoder.message, sizeof decoder.message, "%d scans for one image", decoder.jpeg.input_scan_number);
  std::longjmp(decoder.escape, 1);
}

// libjpeg leaves this function and the next one by longjmp: nothing in them has a destructor.
bool read_header(Decoder& decoder) {
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  jpeg.err = jpeg_std_error(&decoder.errors);
  jpeg.client_data = &decoder;
  decoder.errors.error_exit = give_up;
  decoder.errors.emit_message = on_message;
  if (setjmp(decoder.escape)) return false;
  jpeg_create_decompress(&jpeg);
  decoder.source.init_source = [](j_decompress_ptr) {};
  decoder.source.fill_input_buffer = fill;
  decoder.source.skip_input_data = skip;
  decoder.source.resync_to_restart = jpeg_resync_to_restart;
  decoder.source.term_source = [](j_decompress_ptr) {};
  jpeg.src = &decoder.source;
  jpeg_save_markers(&jpeg, kExifMarker, 0xffff);
  jpeg_read_header(&jpeg, TRUE);
  return true;
}

bool read_rows(Decoder& decoder, std::uint8_t* pixels, std::size_t row_bytes) {
  jpeg_decompress_struct& jpeg = decoder.jpeg;
  if (setjmp(decoder.escape)) return false;
  decoder.progress.progress_monitor = limit_visits;
  jpeg.progress = &decoder.progress;
  jpeg_start_decompress(&jpeg);
  if (decoder.ended && jpeg_has_multiple_scans(&jpeg)) ERREXIT(&jpeg, JERR_INPUT_EOF);  // a scan may be missing
  while (jpeg.output_scanline < jpeg.output_height) {
    JSAMPROW row = pixels + jpeg.output_scanline * row_bytes;
    jpeg_read_scanlines(&jpeg, &row, 1);
  }
  jpeg_finish_decompress(&jpeg);
  return true;
}

[[noreturn]] void refuse(const Decoder& decoder) {
  if (decoder.unsupported)
    throw DataError(decoder.file.path(), std::string("is a JPEG of an unsupported kind (8 bits, Huffman-coded, "
                                                     "baseline or progressive are): ") +
                                             decoder.message + ". Convert it to PNG");
  refuse_damaged(decoder.file, decoder.message);
}

std::uint64_t whole(JDIMENSION blocks, int factor) {
  const auto unit = static_cast<std::uint64_t>(factor);
  return (blocks + unit - 1) / unit * unit;
}

void open(Decoder& decoder) {
  if (!read_header(decoder)) refuse(decoder);
  const jpeg_decompress_struct& jpeg = decoder.jpeg;
  if (jpeg.data_precision != 8 || jpeg.arith_code || jpeg.jpeg_color_space == JCS_UNKNOWN) {
    decoder.unsupported = true;
    std::snprintf(decoder.message, sizeof decoder.message, "it has %d components of %d bits, %s coding",
                  jpeg.num_components, jpeg.data_precision, jpeg.arith_code ? "arithmetic" : "Huffman");
    refuse(decoder);
  }
  for (int c = 0; c < jpeg.num_components; ++c) {  // including padding blocks, which also need memory
    const jpeg_component_info& component = jpeg.comp_info[c];
    decoder.blocks += whole(component.width_in_blocks, component.h_samp_factor) *
                      whole(component.height_in_blocks, component.v_samp_factor);
  }
  check_size(decoder.file, jpeg.image_width, jpeg.image_height, decoder.blocks, kBlocksPerByte);
}

bool is_cmyk(const Decoder& decoder) {
  return decoder.jpeg.jpeg_color_space == JCS_CMYK || decoder.jpeg.jpeg_color_space == JCS_YCCK;
}

ImageHeader header_of(const Decoder& decoder) {
  ImageHeader header;
  header.info.size = {static_cast<int>(decoder.jpeg.image_width), static_cast<int>(decoder.jpeg.image_height)};
  header.info.channels = decoder.jpeg.jpeg_color_space == JCS_GRAYSCALE ? 1 : 3;
  header.info.depth = CV_8U;
  for (const auto* marker = decoder.jpeg.marker_list; marker; marker = marker->next)
    if (marker->data_length > kExif.size() && std::memcmp(marker->data, kExif.data(), kExif.size()) == 0) {
      header.orientation = exif_orientation(marker->data + kExif.size(), marker->data_length - kExif.size());
      break;
    }
  return header;
}

ImageHeader header(const ImageFile& file, int) {
  const auto decoder = std::make_unique<Decoder>(file);
  open(*decoder);
  return header_of(*decoder);
}

DecodedImage decode(const ImageFile& file, int page) {
  if (page != 0) refuse_page(file, page, 1);
  const auto decoder = std::make_unique<Decoder>(file);
  open(*decoder);
  const ImageHeader header = header_of(*decoder);
  const bool cmyk = is_cmyk(*decoder);
  decoder->jpeg.out_color_space = cmyk ? JCS_CMYK : header.info.channels == 1 ? JCS_GRAYSCALE : JCS_RGB;
  cv::Mat pixels(header.info.size, CV_8UC(cmyk ? 4 : header.info.channels));
  if (!read_rows(*decoder, pixels.data, pixels.step[0])) refuse(*decoder);
  if (decoder->ended) note_file(file.path(), "has no end marker, although all its pixels are there; was it cut short?");
  if (decoder->stray) note_file(file.path(), "has bytes that belong to none of its parts; they are skipped");
  DecodedImage decoded;
  decoded.orientation = header.orientation;
  // Adobe's convention, 255 for no ink, which Pillow and OpenCV also assume.
  decoded.image.pixels = cmyk ? rgb_of_cmyk(pixels, true) : pixels;
  return decoded;
}

bool starts(std::string_view bytes) { return bytes.substr(0, 3) == "\xff\xd8\xff"; }

}  // namespace

const ImageFormat kJpegFormat{"JPEG", ".jpg .jpeg .jpe .jfif", starts, header, decode};

}  // namespace sectile
