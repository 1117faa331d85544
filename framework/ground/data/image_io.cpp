// PNG through libspng. Files are foreign bytes: every number of theirs is checked before memory is asked for.
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include <spng.h>
#include <opencv2/core.hpp>
#include <opencv2/imgproc.hpp>

#include <sectile/data/image_io.h>
#include <sectile/error.h>

namespace sectile {
namespace {

namespace fs = std::filesystem;

constexpr std::uint32_t kMaxSide = 1u << 20;
constexpr std::uint64_t kMaxPixels = 1u << 29;
constexpr std::uint64_t kDeflateRatio = 1032;  // no deflate stream expands further (zlib's technical notes)
constexpr std::size_t kHeaderBytes = 8 + 25;   // signature, IHDR
constexpr std::size_t kMaxChunk = 64u << 20;   // of what is no pixel: profiles, texts
constexpr std::size_t kWholeFile = ~std::size_t{0};

struct CloseFile {
  void operator()(std::FILE* file) const { std::fclose(file); }
};
using File = std::unique_ptr<std::FILE, CloseFile>;

struct FreeContext {
  void operator()(spng_ctx* context) const { spng_ctx_free(context); }
};
using Context = std::unique_ptr<spng_ctx, FreeContext>;

struct Bytes {
  std::unique_ptr<std::uint8_t[]> data{};
  std::size_t size = 0;       // read
  std::size_t file_size = 0;  // there are
};

Bytes read_bytes(const fs::path& path, std::size_t at_most) {
  const File file(std::fopen(path.c_str(), "rb"));
  if (!file) throw DataError(path, std::string("cannot be opened: ") + std::strerror(errno));
  struct stat status {};
  if (fstat(fileno(file.get()), &status) != 0)
    throw DataError(path, std::string("cannot be read: ") + std::strerror(errno));
  if (S_ISDIR(status.st_mode)) throw DataError(path, "is a folder, not a picture");
  if (!S_ISREG(status.st_mode)) throw DataError(path, "is no ordinary file");
  Bytes bytes;
  bytes.file_size = static_cast<std::size_t>(status.st_size);
  if (bytes.file_size == 0) throw DataError(path, "the file is empty");
  bytes.size = std::min(bytes.file_size, at_most);
  bytes.data.reset(new std::uint8_t[bytes.size]);
  if (std::fread(bytes.data.get(), 1, bytes.size, file.get()) != bytes.size)
    throw DataError(path, std::ferror(file.get()) ? std::string("cannot be read: ") + std::strerror(errno)
                                                  : "became shorter while it was read");
  return bytes;
}

// What the first bytes say; empty when nothing known.
std::string look(const Bytes& bytes) {
  using namespace std::string_view_literals;
  static constexpr struct {
    std::size_t at;
    std::string_view magic;
    const char* name;
  } kFormats[] = {{0, "\xff\xd8\xff"sv, "a JPEG"},
                  {0, "II*\0"sv, "a TIFF"},
                  {0, "MM\0*"sv, "a TIFF"},
                  {0, "II+\0"sv, "a BigTIFF"},
                  {8, "WEBP"sv, "a WebP"},
                  {0, "GIF8"sv, "a GIF"},
                  {0, "BM"sv, "a BMP"},
                  {128, "DICM"sv, "a DICOM"},
                  {344, "n+1\0"sv, "a NIfTI"},
                  {0, "\x1f\x8b"sv, "a gzipped"},
                  {0, "%PDF"sv, "a PDF"},
                  {4, "ftyp"sv, "an AVIF or HEIC"},
                  {0, "\0\0\0\x0cjP  "sv, "a JPEG 2000"},
                  {0, "version https://git-lfs"sv, "a Git LFS pointer, not the"}};
  const std::string_view text(reinterpret_cast<const char*>(bytes.data.get()), bytes.size);
  for (const auto& format : kFormats)
    if (text.size() >= format.at && text.substr(format.at).substr(0, format.magic.size()) == format.magic)
      return format.name;
  return {};
}

void check_signature(const fs::path& path, const Bytes& bytes) {
  static constexpr std::uint8_t kSignature[8] = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1a, '\n'};
  if (bytes.size >= sizeof kSignature && std::memcmp(bytes.data.get(), kSignature, sizeof kSignature) == 0) return;
  if (bytes.size < sizeof kSignature && std::memcmp(bytes.data.get(), kSignature, bytes.size) == 0)
    throw DataError(path, "is cut short: only " + std::to_string(bytes.size) + " bytes of a PNG file");
  const std::string name = look(bytes);
  throw DataError(path, "is no PNG file, the only format that is read; it looks like " +
                            (name.empty() ? "no picture format that is known" : name + " file") +
                            ". Convert it to PNG");
}

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

void refuse(const fs::path& path, int code) {
  throw DataError(path, std::string("is damaged or cut short: ") + spng_strerror(code));
}

spng_ihdr read_header(const fs::path& path, const Bytes& bytes, spng_ctx* context) {
  spng_set_image_limits(context, kMaxSide, kMaxSide);
  spng_set_chunk_limits(context, kMaxChunk, kMaxChunk);
  spng_set_png_buffer(context, bytes.data.get(), bytes.size);
  spng_ihdr header{};
  if (const int code = spng_get_ihdr(context, &header)) {
    if (code == SPNG_EUSER_WIDTH || code == SPNG_EUSER_HEIGHT)
      throw DataError(path,
                      "states a side of more than " + std::to_string(kMaxSide) + " pixels: damaged, or too large");
    refuse(path, code);
  }
  const std::string size = std::to_string(header.width) + " x " + std::to_string(header.height) + " pixels";
  const std::uint64_t pixels = std::uint64_t{header.width} * header.height;
  if (pixels > kMaxPixels)
    throw DataError(path, "states " + size + ", more than the " + std::to_string(kMaxPixels) + " that are read");
  const std::uint64_t least = pixels * header.bit_depth * static_cast<unsigned>(channels_of(header)) / 8;
  if (least / kDeflateRatio > bytes.file_size)
    throw DataError(path, "states " + size + ", which cannot be in " + std::to_string(bytes.file_size) +
                              " bytes: cut short or damaged");
  return header;
}

// One byte per pixel out of packed rows of 1, 2 or 4 bits.
void unpack(const std::uint8_t* packed, int bits, cv::Mat& pixels) {
  const std::size_t row_bytes = (static_cast<std::size_t>(pixels.cols) * bits + 7) / 8;
  const int mask = (1 << bits) - 1;
  for (int y = 0; y < pixels.rows; ++y, packed += row_bytes) {
    auto* row = pixels.ptr<std::uint8_t>(y);
    for (int x = 0; x < pixels.cols; ++x) {
      const int bit = x * bits;
      row[x] = static_cast<std::uint8_t>((packed[bit / 8] >> (8 - bits - bit % 8)) & mask);
    }
  }
}

Palette read_palette(const fs::path& path, spng_ctx* context) {
  spng_plte table{};
  if (const int code = spng_get_plte(context, &table)) refuse(path, code);
  Palette palette;
  for (std::uint32_t i = 0; i < table.n_entries; ++i)
    palette.push_back({table.entries[i].red, table.entries[i].green, table.entries[i].blue});
  return palette;
}

struct Decoded {
  Picture picture{};
  int bits = 8;
};

Decoded decode(const fs::path& path) {
  const Bytes bytes = read_bytes(path, kWholeFile);
  check_signature(path, bytes);
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  const spng_ihdr header = read_header(path, bytes, context.get());
  std::size_t size = 0;
  if (const int code = spng_decoded_image_size(context.get(), SPNG_FMT_PNG, &size)) refuse(path, code);

  Decoded decoded;
  decoded.bits = header.bit_depth;
  cv::Mat& pixels = decoded.picture.pixels;
  pixels.create(static_cast<int>(header.height), static_cast<int>(header.width),
                CV_MAKETYPE(header.bit_depth == 16 ? CV_16U : CV_8U, channels_of(header)));
  if (header.bit_depth >= 8) {
    if (size != pixels.total() * pixels.elemSize()) throw DataError(path, "decodes to an unexpected size");
    if (const int code = spng_decode_image(context.get(), pixels.data, size, SPNG_FMT_PNG, 0)) refuse(path, code);
  } else {
    const auto packed = std::make_unique<std::uint8_t[]>(size);
    if (const int code = spng_decode_image(context.get(), packed.get(), size, SPNG_FMT_PNG, 0)) refuse(path, code);
    unpack(packed.get(), header.bit_depth, pixels);
  }
  if (header.color_type == SPNG_COLOR_TYPE_INDEXED) decoded.picture.palette = read_palette(path, context.get());
  return decoded;
}

cv::Mat look_up(const fs::path& path, const Picture& picture) {
  cv::Mat colors(picture.pixels.size(), CV_8UC3);
  for (int y = 0; y < colors.rows; ++y) {
    const auto* from = picture.pixels.ptr<std::uint8_t>(y);
    auto* to = colors.ptr<std::uint8_t>(y);
    for (int x = 0; x < colors.cols; ++x, to += 3) {
      if (from[x] >= picture.palette.size())
        throw DataError(path, "pixel (" + std::to_string(x) + ", " + std::to_string(y) + ") has palette index " +
                                  std::to_string(from[x]) + ", and the palette has " +
                                  std::to_string(picture.palette.size()) + " colours");
      std::copy_n(picture.palette[from[x]].data(), 3, to);
    }
  }
  return colors;
}

spng_ihdr header_for(const fs::path& path, const cv::Mat& pixels, const Palette& palette) {
  if (pixels.empty() || pixels.dims != 2)
    throw DataError(path, "cannot be written: the picture is empty or no picture");
  const int depth = pixels.depth(), channels = pixels.channels();
  if ((depth != CV_8U && depth != CV_16U) || channels > 4)
    throw DataError(
        path, "cannot be written: PNG holds 8U and 16U of 1 to 4 channels, this is " + cv::typeToString(pixels.type()));
  if (!palette.empty() && (pixels.type() != CV_8UC1 || palette.size() > 256))
    throw DataError(path, "cannot be written: a palette has up to 256 colours and belongs to 8U of 1 channel");
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
                                ", and the palette has " + std::to_string(palette.size()) + " colours");
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

// A reader never sees half a file, and a failure leaves what was there before.
void write_beside_and_rename(const fs::path& path, const void* data, std::size_t size) {
  static std::atomic<unsigned> counter{0};
  fs::path beside = path;
  beside += ".tmp" + std::to_string(getpid()) + "-" + std::to_string(counter++);
  std::FILE* file = std::fopen(beside.c_str(), "wbx");
  if (!file) throw DataError(path, std::string("cannot be written: ") + std::strerror(errno));
  bool written = std::fwrite(data, 1, size, file) == size;
  int problem = errno;
  if (std::fclose(file) != 0 && written) written = false, problem = errno;
  if (written && std::rename(beside.c_str(), path.c_str()) != 0) written = false, problem = errno;
  if (written) return;
  std::remove(beside.c_str());
  throw DataError(path, std::string("cannot be written: ") + std::strerror(problem));
}

}  // namespace

Picture read_picture(const fs::path& file) { return decode(file).picture; }

cv::Mat read_image(const fs::path& file) {
  const Decoded decoded = decode(file);
  const cv::Mat& pixels = decoded.picture.pixels;
  if (!decoded.picture.palette.empty()) return look_up(file, decoded.picture);
  cv::Mat image;
  if (decoded.bits < 8)
    pixels.convertTo(image, CV_8U, 255.0 / ((1 << decoded.bits) - 1));
  else if (pixels.channels() == 2)
    cv::extractChannel(pixels, image, 0);
  else if (pixels.channels() == 4)
    cv::cvtColor(pixels, image, cv::COLOR_RGBA2RGB);
  else
    image = pixels;
  return image;
}

cv::Size read_size(const fs::path& file) {
  const Bytes bytes = read_bytes(file, kHeaderBytes);
  check_signature(file, bytes);
  const Context context(spng_ctx_new(0));
  if (!context) throw std::bad_alloc();
  const spng_ihdr header = read_header(file, bytes, context.get());
  return {static_cast<int>(header.width), static_cast<int>(header.height)};
}

void write_png(const fs::path& file, const cv::Mat& pixels, const Palette& palette) {
  std::size_t size = 0;
  const Encoded encoded = encode(file, pixels, palette, size);
  write_beside_and_rename(file, encoded.get(), size);
}

}  // namespace sectile
