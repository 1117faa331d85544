#include <sys/stat.h>
#include <unistd.h>

#include <iterator>
#include <limits>
#include <map>

#include <sectile/data/image_io.h>
#include <sectile/error.h>
#include <sectile/random.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "ground/images/image_file.h"
#include "support/memory_limit.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/tiff_stack.h"

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::test::contents;
using sectile::test::Scratch;

namespace {

const fs::path kImages = SECTILE_SOURCE_DIR "/tests/ground/images";

std::size_t files_in(const Scratch& folder) {
  return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder.path()), fs::directory_iterator()));
}

std::vector<int> values(const cv::Mat& pixels) {
  cv::Mat wide;
  pixels.reshape(1).convertTo(wide, CV_32S);
  return {wide.begin<int>(), wide.end<int>()};
}

std::string png_chunk(const std::string& name, const std::string& data) {
  const auto number = [](std::uint32_t value) {
    std::string bytes;
    for (const int shift : {24, 16, 8, 0}) bytes += static_cast<char>(value >> shift);
    return bytes;
  };
  std::uint32_t crc = ~0u;
  for (const char c : name + data) {
    crc ^= static_cast<std::uint8_t>(c);
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
  }
  return number(static_cast<std::uint32_t>(data.size())) + name + data + number(~crc);
}

// The stored pixels, or why there are none.
std::pair<cv::Mat, std::string> read(const fs::path& file) {
  try {
    return {sectile::read_raw_image(file).pixels, ""};
  } catch (const DataError& error) {
    return {cv::Mat(), error.what()};
  }
}
std::string message_of(const fs::path& file) { return read(file).second; }

cv::Mat noise(cv::Size size, int type) {
  sectile::Random random{1};
  cv::Mat pixels(size, type);
  for (std::size_t i = 0; i < pixels.total() * pixels.elemSize(); ++i)
    pixels.data[i] = static_cast<std::uint8_t>(random.bits());
  return pixels;
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.type() == b.type() && a.size() == b.size() && values(a) == values(b);
}

}  // namespace

TEST_CASE("every color type and bit depth gives the values that Pillow and OpenCV read") {
  const auto expected = nlohmann::json::parse(contents(kImages / "expected.json"));
  REQUIRE(expected.size() == 22);
  for (const auto& [name, want] : expected.items()) {
    CAPTURE(name);
    const fs::path file = kImages / (name + ".png");
    const auto image = sectile::read_raw_image(file);
    CHECK(image.pixels.size() == cv::Size(7, 5));
    CHECK(image.pixels.depth() == (want["bits"] == 16 ? CV_16U : CV_8U));
    CHECK(image.pixels.channels() == want["channels"]);
    CHECK(values(image.pixels) == want["stored"].get<std::vector<int>>());
    CHECK(image.palette == want["palette"].get<sectile::Palette>());

    const cv::Mat decoded = sectile::read_image(file);
    CHECK(decoded.channels() == want["image_channels"]);
    CHECK(values(decoded) == want["image"].get<std::vector<int>>());
    CHECK(sectile::read_size(file) == cv::Size(7, 5));
  }
}

TEST_CASE("what was written is read back unchanged") {
  const Scratch folder;
  for (const int type : {CV_8UC1, CV_8UC2, CV_8UC3, CV_8UC4, CV_16UC1, CV_16UC2, CV_16UC3, CV_16UC4}) {
    CAPTURE(cv::typeToString(type));
    const cv::Mat pixels = noise({13, 9}, type);
    sectile::write_png(folder / "a.png", pixels);
    CHECK(same(sectile::read_raw_image(folder / "a.png").pixels, pixels));
    const cv::Mat part = pixels(cv::Rect(2, 1, 5, 6));  // rows that do not follow each other
    sectile::write_png(folder / "a.png", part);
    CHECK(same(sectile::read_raw_image(folder / "a.png").pixels, part));
  }
  const sectile::Palette palette = {{1, 2, 3}, {40, 50, 60}, {255, 0, 255}};
  const cv::Mat indexes = (cv::Mat_<std::uint8_t>(2, 2) << 2, 0, 1, 1);
  sectile::write_png(folder / "a.png", indexes, palette);
  const auto image = sectile::read_raw_image(folder / "a.png");
  CHECK(image.palette == palette);
  CHECK(same(image.pixels, indexes));
  CHECK(files_in(folder) == 1);  // nothing is left beside it
}

TEST_CASE("a file cut short anywhere is an error that names it, or still the whole image") {
  const Scratch folder;
  for (const char* name : {"grey_8", "palette_4_interlaced", "rgb_16", "grey_8_transparent"}) {
    const std::string whole = contents(kImages / (std::string(name) + ".png"));
    const cv::Mat pixels = sectile::read_raw_image(kImages / (std::string(name) + ".png")).pixels;
    std::size_t errors = 0;
    for (std::size_t size = 0; size < whole.size(); ++size) {
      CAPTURE(size);
      const fs::path file = folder.write("cut.png", whole.substr(0, size));
      const auto [image, message] = read(file);
      if (message.empty()) {
        CHECK(same(image, pixels));
        continue;
      }
      ++errors;
      CHECK(message.find("cut.png: ") != std::string::npos);
    }
    CHECK(errors > whole.size() - 30);  // only the closing chunk and checksum can be missing without loss
  }
}

TEST_CASE("a file with any one byte changed is an error, or still an image of a size that was stated") {
  const Scratch folder;
  for (const char* name : {"grey_1", "palette_4_transparent", "rgba_8"}) {
    const std::string whole = contents(kImages / (std::string(name) + ".png"));
    for (std::size_t i = 0; i < whole.size(); ++i)
      for (const int flip : {0x01, 0x80, 0xff}) {
        std::string damaged = whole;
        damaged[i] = static_cast<char>(damaged[i] ^ flip);
        const fs::path file = folder.write("damaged.png", damaged);
        const auto [image, message] = read(file);
        CHECK((message.empty() ? image.size() == cv::Size(7, 5) : message.find("damaged.png: ") != std::string::npos));
      }
  }
}

TEST_CASE("a header that states more than the file can hold is refused before memory is asked for") {
  const Scratch folder;
  // 16000 x 16000 in 70 bytes: signature, IHDR with its checksum, nothing else
  const auto header = [&](const char* size, const char* crc) {
    return folder.write("bomb.png", std::string("\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16) + std::string(size, 8) +
                                        std::string("\x08\x06\0\0\0", 5) + std::string(crc, 4));
  };
  CHECK(message_of(header("\0\0\x3e\x80\0\0\x3e\x80", "\x41\x7e\xdf\xde")).find("16000 x 16000 pixels") !=
        std::string::npos);
  CHECK(message_of(header("\x7f\xff\xff\xff\x7f\xff\xff\xff", "\x14\xc9\x0b\x66")).find("bomb.png: ") !=
        std::string::npos);
}

TEST_CASE("a file of a format that is not read is named for what it looks like") {
  const Scratch folder;
  const std::map<std::string, std::string> starts = {{"GIF89a", "a GIF file"},
                                                     {"version https://git-lfs.github.com/spec/v1", "Git LFS pointer"},
                                                     {std::string(128, '\0') + "DICM", "a DICOM file"},
                                                     {"hello, this is text", "an unknown format"}};
  for (const auto& [bytes, name] : starts) {
    const std::string message = message_of(folder.write("other.png", bytes));
    CAPTURE(message);
    CHECK(message.find(name) != std::string::npos);
    CHECK(message.find("(PNG, JPEG, TIFF, WebP, BMP, PNM)") != std::string::npos);
    CHECK_THROWS_AS(sectile::read_size(folder / "other.png"), DataError);
  }
  CHECK(message_of(folder.write("empty.png", "")).find("the file is empty") != std::string::npos);
}

TEST_CASE("a file that is missing, a folder or unreadable is an error with the system's reason") {
  const Scratch folder;
  CHECK(message_of(folder / "none.png").find("none.png: cannot be opened: No such file") != std::string::npos);
  CHECK(message_of(kImages).find("is a folder") != std::string::npos);
  if (geteuid() == 0) return;  // nothing is unreadable to the superuser
  const fs::path file = folder.write("locked.png", "x");
  chmod(file.c_str(), 0);
  CHECK(message_of(file).find("Permission denied") != std::string::npos);
}

TEST_CASE("a pixel beyond the palette is an error in an image and a plain number in a mask") {
  const Scratch folder;
  // palette_1 with its palette cut to one color: the chunk's checksum is made anew by writing, so write by hand
  std::string bytes = contents(kImages / "palette_1.png");
  const auto at = bytes.find("PLTE");
  REQUIRE(at != std::string::npos);
  bytes.replace(at - 4, 4 + 4 + 6 + 4, std::string("\0\0\0\x03PLTE\0\x05\x50\xb1\x66\x98\x6b", 15));
  const fs::path file = folder.write("short.png", bytes);
  CHECK(values(sectile::read_raw_image(file).pixels) ==
        values(sectile::read_raw_image(kImages / "palette_1.png").pixels));
  CHECK_THROWS_WITH_AS(sectile::read_image(file), doctest::Contains("has palette index 1, and the palette has 1"),
                       DataError);
}

TEST_CASE("what PNG cannot hold is not written, and nothing is left behind") {
  const Scratch folder;
  CHECK_THROWS_WITH_AS(sectile::write_png(folder / "a.png", cv::Mat(2, 2, CV_32F, 0.0)), doctest::Contains("CV_32FC1"),
                       DataError);
  CHECK_THROWS_AS(sectile::write_png(folder / "a.png", cv::Mat()), DataError);
  CHECK_THROWS_WITH_AS(sectile::write_png(folder / "a.png", cv::Mat(2, 2, CV_8U, 7.0), {{0, 0, 0}}),
                       doctest::Contains("palette index 7"), DataError);
  CHECK_THROWS_WITH_AS(sectile::write_png(folder / "no/a.png", cv::Mat(2, 2, CV_8U, 7.0)),
                       doctest::Contains("No such file"), DataError);
  fs::create_directories(folder / "taken.png/inside");
  CHECK_THROWS_WITH_AS(sectile::write_png(folder / "taken.png", cv::Mat(2, 2, CV_8U, 7.0)),
                       doctest::Contains("cannot be written"), DataError);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a named pipe is refused, and not waited for") {
  const Scratch folder;
  REQUIRE(mkfifo((folder / "x.png").c_str(), 0600) == 0);
  CHECK(message_of(folder / "x.png") == (folder / "x.png").string() + ": is not a regular file");
}

TEST_CASE("a name may have as many bytes as the system takes") {
  const Scratch folder;
  const auto longest = folder / (std::string(251, 'a') + ".png"), too_long = folder / (std::string(252, 'a') + ".png");
  sectile::write_png(longest, cv::Mat(2, 2, CV_8U, 7.0));
  CHECK(sectile::read_image(longest).at<std::uint8_t>(1, 1) == 7);
  CHECK_THROWS_WITH_AS(sectile::write_png(too_long, cv::Mat(2, 2, CV_8U, 7.0)),
                       doctest::Contains("cannot be written: File name too long"), DataError);
  CHECK(files_in(folder) == 1);
}

TEST_CASE("a PNG is turned as its eXIf says, which may stand before or behind the pixels") {
  const Scratch folder;
  cv::Mat stored(2, 3, CV_8U);
  for (int i = 0; i < 6; ++i) stored.data[i] = static_cast<std::uint8_t>(i);
  sectile::write_png(folder / "plain.png", stored);
  const std::string plain = contents(folder / "plain.png");
  // an EXIF block of one field, orientation (0x0112) 6: the first row is at the right
  const std::string exif("MM\0\x2a\0\0\0\x08\0\1\x01\x12\0\3\0\0\0\1\0\6\0\0\0\0\0\0", 26);
  for (const char* next : {"IDAT", "IEND"}) {
    CAPTURE(next);
    auto bytes = plain;
    const auto file = folder.write("turned.png", bytes.insert(plain.find(next) - 4, png_chunk("eXIf", exif)));
    CHECK(values(sectile::read_image(file)) == std::vector<int>{3, 0, 4, 1, 5, 2});
    CHECK(values(sectile::read_image(file, {.apply_exif_orientation = false})) == values(stored));
    CHECK(sectile::read_size(file) == cv::Size(2, 3));
    CHECK(sectile::read_size(file, {.apply_exif_orientation = false}) == cv::Size(3, 2));
  }
}

TEST_CASE("alpha is dropped from an image of any type, or kept") {
  const Scratch folder;
  const cv::Scalar color(1, -2, 3, -4);
  for (const int depth : {CV_8U, CV_16U}) {
    sectile::write_tiff(folder / "a.tif", cv::Mat(2, 2, CV_MAKETYPE(depth, 4), cv::Scalar(1, 2, 3, 4)));
    CHECK(sectile::read_image(folder / "a.tif").channels() == 3);
    CHECK(sectile::read_image(folder / "a.tif", {.keep_alpha = true}).channels() == 4);
    CHECK(sectile::read_info(folder / "a.tif").alpha);
  }
  sectile::test::write_pages(folder / "a.tif",
                             {{cv::Mat(1, 1, CV_16SC4, color), sectile::test::Samples::signed_integer}});
  CHECK(values(sectile::read_image(folder / "a.tif")) == std::vector<int>{1, -2, 3});
  CHECK(values(sectile::read_image(folder / "a.tif", {.keep_alpha = true})) == std::vector<int>{1, -2, 3, -4});
  sectile::write_tiff(folder / "a.tif", cv::Mat(2, 2, CV_8UC3));
  CHECK(!sectile::read_info(folder / "a.tif").alpha);
}

TEST_CASE("pixels that are no numbers, or the lowest float, are refused in an image with their place") {
  const Scratch folder;
  cv::Mat image(3, 4, CV_32FC2, cv::Scalar::all(-9999));
  const auto file = folder / "a.tif";
  const auto told = [&](float value) {
    image.at<cv::Vec2f>(1, 2)[1] = value;
    sectile::write_tiff(file, image);
    CHECK(same(sectile::read_raw_image(file).pixels, image));
    return [&] { sectile::read_image(file); };
  };
  using Limits = std::numeric_limits<float>;
  CHECK_NOTHROW(told(0)());
  CHECK_THROWS_WITH_AS(told(Limits::quiet_NaN())(), doctest::Contains("a.tif: pixel (2, 1) is nan, which"), DataError);
  CHECK_THROWS_WITH_AS(told(-Limits::infinity())(), doctest::Contains("pixel (2, 1) is -inf, which"), DataError);
  CHECK_THROWS_WITH_AS(told(Limits::lowest())(), doctest::Contains("pixel (2, 1) is -3.40282e+38, which"), DataError);
}

TEST_CASE("an image that does not fit into memory is refused with its size") {
  const Scratch folder;
  sectile::write_png(folder / "large.png", cv::Mat(16384, 16384, CV_8U, cv::Scalar(0)));
  const sectile::test::MemoryLimit limit(64u << 20);
  CHECK(message_of(folder / "large.png") ==
        (folder / "large.png").string() +
            ": is 16384 x 16384 pixels of 1 channels, for which there is not enough memory");
}

TEST_CASE("a temporary name that another process has is passed over") {
  const Scratch folder;
  const auto name_of_temporary = [&] {
    const auto entry = *std::filesystem::directory_iterator(folder.path());
    return entry.path().filename().string();
  };
  std::string name;
  {
    const sectile::ReplacedFile first(folder / "a");
    name = name_of_temporary();  // a.tmp123-7
  }
  const auto dash = name.rfind('-');
  const auto next = std::stol(name.substr(dash + 1)) + 1;
  for (const auto number : {next, next + 1})
    folder.write(name.substr(0, dash + 1) + std::to_string(number), "another's");
  sectile::ReplacedFile second(folder / "a");
  second.write("b", 1);
  second.commit();
  CHECK(contents(folder / "a") == "b");
  CHECK(contents(folder / (name.substr(0, dash + 1) + std::to_string(next))) == "another's");
  CHECK(files_in(folder) == 3);
}
