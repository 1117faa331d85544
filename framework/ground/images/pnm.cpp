// Own PNM decoder: PBM, PGM and PPM as text (P1 to P3) and binary (P4 to P6), and PAM (P7). Only the first image of a
// file. Layout: the manual pages of Netpbm.
#include <cctype>
#include <charconv>
#include <sstream>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "image_format.h"
#include "pixel_layout.h"

namespace sectile {
namespace {

constexpr std::uint64_t kMaxMaximum = 65535;
constexpr std::size_t kHeaderBytes = 4096;  // with its comments

struct Layout {
  std::uint64_t width = 0, height = 0, channels = 1, maximum = 1;
  std::size_t pixels_at = 0;
  char kind = '0';
  bool alpha = false;

  bool is_text() const { return kind <= '3'; }
  bool is_bitmap() const { return kind == '1' || kind == '4'; }
  int depth() const { return maximum > 255 ? CV_16U : CV_8U; }
  std::uint64_t values_per_row() const { return width * channels; }
  std::uint64_t row_bytes() const {
    return kind == '4' ? (width + 7) / 8 : values_per_row() * (maximum > 255 ? 2u : 1u);
  }
};

bool is_space(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

// Numbers between white space and comments.
class Reader {
 public:
  Reader(const ImageFile& file, std::string_view text, std::size_t at = 0) : file_(file), text_(text), at_(at) {}

  std::size_t at() const { return at_; }

  void skip_space() {
    while (at_ < text_.size() && (is_space(text_[at_]) || text_[at_] == '#'))
      at_ = text_[at_] == '#' ? std::min(text_.find_first_of("\r\n", at_), text_.size()) : at_ + 1;
  }

  std::uint64_t number() {
    skip_space();
    std::uint32_t number = 0;
    const auto [end, problem] = std::from_chars(text_.data() + at_, text_.data() + text_.size(), number);
    if (problem != std::errc())
      refuse_damaged(file_, at_ < text_.size() ? "no number where there should be one, at byte " + std::to_string(at_)
                                               : "it ends where a number should be");
    at_ = static_cast<std::size_t>(end - text_.data());
    return number;
  }

  std::uint64_t bit() {  // without spaces between them
    skip_space();
    if (at_ == text_.size()) refuse_damaged(file_, "it ends where a number should be");
    const char c = text_[at_++];
    if (c != '0' && c != '1') refuse_damaged(file_, "neither 0 nor 1 at byte " + std::to_string(at_ - 1));
    return static_cast<std::uint64_t>(c - '0');
  }

  std::string_view line() {
    const std::size_t end = std::min(text_.find('\n', at_), text_.size()), start = at_;
    at_ = std::min(end + 1, text_.size());
    return text_.substr(start, end - start);
  }

 private:
  const ImageFile& file_;
  std::string_view text_;
  std::size_t at_;
};

void read_pam_header(const ImageFile& file, std::string_view text, Layout& layout) {
  Reader reader(file, text, 2);
  layout.channels = layout.maximum = 0;
  while (reader.at() < text.size()) {
    std::istringstream words{std::string(reader.line())};
    std::string key, value;
    words >> key >> value;
    if (key == "ENDHDR") {
      layout.pixels_at = reader.at();
      return;
    }
    if (key == "TUPLTYPE") {
      layout.alpha = value.ends_with("_ALPHA");
      continue;
    }
    auto* field = key == "WIDTH"    ? &layout.width
                  : key == "HEIGHT" ? &layout.height
                  : key == "DEPTH"  ? &layout.channels
                  : key == "MAXVAL" ? &layout.maximum
                                    : nullptr;
    if (field) *field = Reader(file, value).number();
  }
  refuse_damaged(file, "its header is incomplete");
}

void read_pnm_header(const ImageFile& file, std::string_view text, Layout& layout) {
  Reader reader(file, text, 2);
  layout.width = reader.number();
  layout.height = reader.number();
  if (!layout.is_bitmap()) layout.maximum = reader.number();
  layout.channels = layout.kind == '3' || layout.kind == '6' ? 3 : 1;
  layout.pixels_at = reader.at() + 1;  // after one character of white space
}

Layout read_layout(const ImageFile& file) {
  char start[kHeaderBytes];
  const std::string_view text(start, file.read(0, start, sizeof start));
  Layout layout;
  layout.kind = text[1];
  layout.kind == '7' ? read_pam_header(file, text, layout) : read_pnm_header(file, text, layout);
  if (layout.maximum == 0 || layout.maximum > kMaxMaximum)
    refuse_damaged(file, "its largest value is " + std::to_string(layout.maximum) + ", and must be from 1 to 65535");
  if (layout.channels == 0 || layout.channels > CV_CN_MAX)
    throw DataError(file.path(), "states " + std::to_string(layout.channels) + " channels, and 1 to " +
                                     std::to_string(CV_CN_MAX) + " are read");
  layout.alpha = layout.alpha && (layout.channels == 2 || layout.channels == 4);
  check_size(file, layout.width, layout.height, 0, 1);
  const auto bytes = layout.is_text() ? layout.values_per_row() * layout.height : layout.row_bytes() * layout.height;
  check_size(file, layout.width, layout.height, layout.pixels_at + bytes - (layout.is_text() ? 1 : 0), 1);
  return layout;
}

ImageInfo info_of(const Layout& layout) {
  return {.size = {static_cast<int>(layout.width), static_cast<int>(layout.height)},
          .channels = static_cast<int>(layout.channels),
          .depth = layout.depth(),
          .alpha = layout.alpha};
}

template <typename Value>
void check_row(const ImageFile& file, const Value* row, std::uint64_t count, std::uint64_t maximum) {
  for (std::uint64_t i = 0; i < count; ++i)
    if (row[i] > maximum)
      refuse_damaged(file, "it has the value " + std::to_string(row[i]) + ", and " + std::to_string(maximum) +
                               " is stated as the largest");
}

template <typename Value>
void read_text(const ImageFile& file, const FileBytes& bytes, const Layout& layout, cv::Mat& pixels) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data.get()), bytes.size);
  Reader reader(file, text, layout.pixels_at - 1);
  for (int y = 0; y < pixels.rows; ++y) {
    auto* row = pixels.ptr<Value>(y);
    for (std::uint64_t i = 0; i < layout.values_per_row(); ++i) {
      const std::uint64_t value = layout.is_bitmap() ? reader.bit() : reader.number();
      check_row(file, &value, 1, layout.maximum);
      row[i] = static_cast<Value>(value);
    }
  }
}

// Complete: checked by read_layout.
void read_binary(const ImageFile& file, const FileBytes& bytes, const Layout& layout, cv::Mat& pixels) {
  const std::uint8_t* from = bytes.data.get() + layout.pixels_at;
  if (layout.is_bitmap()) return unpack_bits(from, layout.row_bytes(), 1, pixels);
  for (int y = 0; y < pixels.rows; ++y, from += layout.row_bytes())
    if (layout.maximum > 255) {
      auto* row = pixels.ptr<std::uint16_t>(y);
      for (std::uint64_t i = 0; i < layout.values_per_row(); ++i)
        row[i] = static_cast<std::uint16_t>(from[2 * i] << 8 | from[2 * i + 1]);
      check_row(file, row, layout.values_per_row(), layout.maximum);
    } else {
      auto* row = pixels.ptr<std::uint8_t>(y);
      std::copy_n(from, layout.values_per_row(), row);
      if (layout.maximum < 255) check_row(file, row, layout.values_per_row(), layout.maximum);
    }
}

ImageHeader header(const ImageFile& file, int) { return {info_of(read_layout(file))}; }

DecodedImage decode(const ImageFile& file, int page) {
  if (page != 0) refuse_page(file, page, 1);
  const Layout layout = read_layout(file);
  const FileBytes bytes = file.bytes();
  const ImageInfo info = info_of(layout);
  DecodedImage decoded;
  decoded.alpha = layout.alpha;
  decoded.white = static_cast<int>(layout.maximum);
  cv::Mat& pixels = decoded.image.pixels;
  pixels.create(info.size, CV_MAKETYPE(info.depth, info.channels));
  if (!layout.is_text())
    read_binary(file, bytes, layout, pixels);
  else if (info.depth == CV_8U)
    read_text<std::uint8_t>(file, bytes, layout, pixels);
  else
    read_text<std::uint16_t>(file, bytes, layout, pixels);
  if (layout.is_bitmap()) cv::subtract(1, pixels, pixels);  // 0 is white
  return decoded;
}

bool starts(std::string_view bytes) {
  return bytes.size() >= 3 && bytes[0] == 'P' && bytes[1] >= '1' && bytes[1] <= '7' &&
         (is_space(bytes[2]) || bytes[2] == '#');
}

}  // namespace

const ImageFormat kPnmFormat{"PNM", ".pbm .pgm .ppm .pnm .pam", starts, header, decode};

}  // namespace sectile
