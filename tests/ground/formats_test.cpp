#include <atomic>
#include <ctime>
#include <thread>

#include <sectile/data/image_io.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "allocation_peak.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/tiff_stack.h"

namespace fs = std::filesystem;
using sectile::DataError;
using sectile::test::contents;
using sectile::test::Scratch;

namespace {

const fs::path kFormats = SECTILE_SOURCE_DIR "/tests/ground/formats";

nlohmann::json expectations() { return nlohmann::json::parse(contents(kFormats / "expected.json")); }

std::uint32_t crc32(const cv::Mat& pixels) {
  std::uint32_t crc = ~0u;
  for (int y = 0; y < pixels.rows; ++y)
    for (std::size_t i = 0; i < static_cast<std::size_t>(pixels.cols) * pixels.elemSize(); ++i) {
      crc ^= pixels.ptr(y)[i];
      for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0xedb88320u : 0);
    }
  return ~crc;
}

void check_pixels(const cv::Mat& pixels, const nlohmann::json& want) {
  CHECK("CV_" + want["type"].get<std::string>() == cv::typeToString(pixels.type()));
  CHECK(pixels.size() == cv::Size(want["size"][0], want["size"][1]));
  cv::Mat values;
  pixels.reshape(1).convertTo(values, CV_64F);
  if (!values.isContinuous()) values = values.clone();
  const auto count = values.total();
  for (const auto& [at, i] : {std::pair<std::size_t, int>{0, 0}, {1, 1}, {count / 2, 2}, {count - 1, 3}})
    CHECK(reinterpret_cast<const double*>(values.data)[at] == want["values"][static_cast<unsigned>(i)].get<double>());
  CHECK(crc32(pixels) == want["crc"].get<std::uint32_t>());
}

std::string message_of(const fs::path& file, int page = 0) {
  try {
    sectile::read_raw_image(file, {.page = page});
    return "";
  } catch (const DataError& error) {
    return error.what();
  }
}

bool has(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CAPTURE(part);
  const bool found = text.find(part) != std::string::npos;
  CHECK(found);
  return found;
}

std::string replaced(std::string bytes, std::size_t at, const std::string& with) {
  return bytes.replace(at, with.size(), with);
}

cv::Mat noise(cv::Size size, int type) {
  cv::Mat pixels(size, type);
  cv::RNG random(1);
  CV_MAT_DEPTH(type) == CV_32F ? random.fill(pixels.reshape(1), cv::RNG::NORMAL, 0, 1)
                               : random.fill(pixels.reshape(1), cv::RNG::UNIFORM, -32768, 65536);
  return pixels;
}

bool same(const cv::Mat& a, const cv::Mat& b) {
  return a.type() == b.type() && a.size() == b.size() && crc32(a) == crc32(b);
}

}  // namespace

TEST_CASE("every format, layout and depth gives the values that Pillow, tifffile and OpenCV read") {
  const auto expected = expectations();
  REQUIRE(expected.size() >= 90);
  for (const auto& [name, want] : expected.items()) {
    CAPTURE(name);
    const fs::path file = kFormats / name;
    const auto image = sectile::read_raw_image(file);
    check_pixels(image.pixels, want["picture"]);
    CHECK(image.palette == want.value("palette", sectile::Palette()));
    check_pixels(sectile::read_image(file), want["image"]);

    const auto info = sectile::read_info(file);
    CHECK(info.size == image.pixels.size());
    CHECK(info.channels == image.pixels.channels());
    CHECK(info.depth == image.pixels.depth());
    const auto more = want.value("pages", nlohmann::json::array());
    CHECK(info.pages == 1 + static_cast<int>(more.size()));
    for (int page = 1; page < info.pages; ++page)
      check_pixels(sectile::read_raw_image(file, {.page = page}).pixels, more[static_cast<unsigned>(page - 1)]);
    CHECK(sectile::read_size(file) == image.pixels.size());
  }
}

TEST_CASE("several threads read the same files at once") {
  const auto expected = expectations();
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (const auto& [name, want] : expected.items())
        if (crc32(sectile::read_raw_image(kFormats / name).pixels) != want["picture"]["crc"]) ++wrong;
    });
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a page that there is not is an error that says how many there are") {
  has(message_of(kFormats / "pages.tif", 3), "has no page 3: there are 3 pages, counted from 0");
  has(message_of(kFormats / "grey_8.tif", 1), "has no page 1: there is 1 page");
  has(message_of(kFormats / "pages.tif", -1), "has no page -1");
  for (const char* name : {"grey.jpg", "lossy.webp", "rgb.bmp", "binary.pgm", "../images/grey_8.png"})
    has(message_of(kFormats / name, 1), "has no page 1: there is 1 page");
}

TEST_CASE("the suffixes of image files are in lower case, with a point") {
  const auto& suffixes = sectile::image_suffixes();
  for (const char* suffix : {".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp", ".bmp", ".ppm", ".pam"})
    CHECK(std::count(suffixes.begin(), suffixes.end(), suffix) == 1);
  const auto expected = expectations();
  for (const auto& [name, want] : expected.items())
    CHECK(std::count(suffixes.begin(), suffixes.end(), fs::path(name).extension()) == 1);
}

TEST_CASE("the first bytes count, not the name") {
  const Scratch folder;
  const fs::path file = folder.write("really_a_jpeg.png", contents(kFormats / "grey.jpg"));
  CHECK(same(sectile::read_raw_image(file).pixels, sectile::read_raw_image(kFormats / "grey.jpg").pixels));
}

TEST_CASE("what was written as TIFF is read back unchanged") {
  const Scratch folder;
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
    for (const int channels : {1, 2, 3, 4, 5, 19, 512}) {
      const int type = CV_MAKETYPE(depth, channels);
      CAPTURE(cv::typeToString(type));
      const cv::Mat pixels = noise(channels == 512 ? cv::Size(60, 40) : cv::Size(301, 203), type);
      sectile::write_tiff(folder / "a.tif", pixels);
      CHECK(same(sectile::read_raw_image(folder / "a.tif").pixels, pixels));
      const cv::Mat part = pixels(cv::Rect(2, 1, 50, 30));  // rows that do not follow each other
      sectile::write_tiff(folder / "a.tif", part);
      CHECK(same(sectile::read_raw_image(folder / "a.tif").pixels, part));
      const bool alpha = depth <= CV_16U && (channels == 2 || channels == 4);
      CHECK(sectile::read_image(folder / "a.tif").channels() == channels - alpha);
    }
  CHECK(std::distance(fs::directory_iterator(folder / "."), fs::directory_iterator()) == 1);
}

TEST_CASE("what is not written as TIFF leaves nothing behind") {
  const Scratch folder;
  CHECK_THROWS_WITH_AS(sectile::write_tiff(folder / "a.tif", cv::Mat(2, 2, CV_64F, 0.0)), doctest::Contains("CV_64FC1"),
                       DataError);
  CHECK_THROWS_AS(sectile::write_tiff(folder / "a.tif", cv::Mat()), DataError);
  CHECK_THROWS_WITH_AS(sectile::write_tiff(folder / "no/a.tif", cv::Mat(2, 2, CV_8U, 7.0)),
                       doctest::Contains("No such file"), DataError);
  fs::create_directories(folder / "taken.tif/inside");
  CHECK_THROWS_WITH_AS(sectile::write_tiff(folder / "taken.tif", cv::Mat(2, 2, CV_8U, 7.0)),
                       doctest::Contains("cannot be written"), DataError);
  CHECK(std::distance(fs::directory_iterator(folder / "."), fs::directory_iterator()) == 1);
}

TEST_CASE("a file cut short anywhere is an error that names it, or still the whole image") {
  const Scratch folder;
  for (const char* name : {"ycbcr_420.jpg", "progressive_grey.jpg", "grey_8_packbits.tif", "bilevel_group4.tif",
                           "lossless.webp", "lossy_alpha.webp", "palette_8.bmp", "rgb.bmp", "text.ppm", "binary.pbm"}) {
    CAPTURE(name);
    const std::string whole = contents(kFormats / name);
    const cv::Mat pixels = sectile::read_raw_image(kFormats / name).pixels;
    for (std::size_t size = 1; size < whole.size(); size += size < 200 ? 1 : 7) {
      CAPTURE(size);
      const fs::path file = folder.write("cut", whole.substr(0, size));
      const std::string message = message_of(file);
      if (message.empty())
        CHECK(same(sectile::read_raw_image(file).pixels, pixels));
      else
        CHECK(message.find("cut: ") != std::string::npos);
    }
    has(message_of(folder.write("cut", whole.substr(0, whole.size() * 2 / 3))), "cut short");
  }
}

TEST_CASE("what is not read is refused by name") {
  const Scratch folder;
  has(message_of(kFormats / "animated.webp"), "is an animated WebP");
  const std::string bmp = contents(kFormats / "palette_8.bmp"), tiff = contents(kFormats / "grey_4.tif");
  has(message_of(folder.write("a", replaced(bmp, 30, std::string("\1\0\0\0", 4)))),
      "is a compressed BMP (number 1; RLE");
  has(message_of(folder.write("a", replaced(bmp, 28, std::string("\x10\0", 2)))), "is a BMP of 16 bits per pixel");
  // entries of 12 bytes from byte 10 on: the value of the third is the bits per sample, of the fourth the compression
  has(message_of(folder.write("a", replaced(tiff, 10 + 24 + 8, "\x0c"))), "it has 12-bit unsigned samples");
  has(message_of(folder.write("a", replaced(tiff, 10 + 36 + 8, std::string("\x50\xc3", 2)))), "compression 50000");
  has(message_of(folder.write("a", replaced(tiff, 10 + 48 + 8, "\x08"))), "colors of kind 8");
  std::string jpeg = contents(kFormats / "grey.jpg");
  const auto frame = jpeg.find("\xff\xc0");
  REQUIRE(frame != std::string::npos);
  has(message_of(folder.write("a", replaced(jpeg, frame + 4, "\x0c"))), "is a JPEG of an unsupported kind");
  has(message_of(folder.write("a", replaced(jpeg, frame + 1, "\xc9"))), "is a JPEG of an unsupported kind");
  has(message_of(folder.write("a", "P5\n3 3\n70000\n")), "must be from 1 to 65535");
  has(message_of(folder.write("a", "P5\n2 1\n9\n\x09\x0a")), "it has the value 10, and 9 is stated as the largest");
}

TEST_CASE("a header that states more than the file can hold is refused before memory is asked for") {
  const Scratch folder;
  const std::string jpeg = contents(kFormats / "grey.jpg"), bmp = contents(kFormats / "palette_8.bmp");
  const std::string tiff = contents(kFormats / "grey_4.tif"), webp = contents(kFormats / "lossless.webp");
  const auto frame = jpeg.find("\xff\xc0"), lossless = webp.find("VP8L");
  REQUIRE(lossless != std::string::npos);
  const std::pair<const char*, std::string> bombs[] = {
      {"16000 x 16000", replaced(jpeg, frame + 5, "\x3e\x80\x3e\x80")},
      {"16000 x 16000", replaced(bmp, 18, std::string("\x80\x3e\0\0\x80\x3e\0\0", 8))},
      {"16000 x 16000", replaced(replaced(tiff, 18, "\x80\x3e"), 30, "\x80\x3e")},
      {"16384 x 16384", replaced(webp, lossless + 9, "\xff\xff\xff\x0f")},
      {"65500 x 500", "P6 65500 500 255\n"},
      {"16000 x 16000", "P1 16000 16000\n1"},
      {"16000 x 16000", "P7\nWIDTH 16000\nHEIGHT 16000\nDEPTH 512\nMAXVAL 65535\nENDHDR\n"}};
  for (const auto& [size, bytes] : bombs) {
    const fs::path file = folder.write("bomb", bytes);
    const AllocationPeak peak;
    const std::string message = message_of(file);
    CHECK(peak.bytes() < (3u << 20));
    has(message, size);
    CHECK_THROWS_AS(sectile::read_info(file), DataError);
  }
}

TEST_CASE("a JPEG whose codes do not add up is an error, though libjpeg would go on") {
  const Scratch folder;
  std::string jpeg = contents(kFormats / "ycbcr_420.jpg");
  const auto restart = jpeg.find("\xff\xd0");
  REQUIRE(restart != std::string::npos);
  has(message_of(folder.write("a", replaced(jpeg, restart + 1, "\xd5"))), "is damaged or cut short");
  has(message_of(folder.write("a", jpeg.erase(restart - 60, 50))), "is damaged or cut short");
}

TEST_CASE("a progressive JPEG of endless scans, and a TIFF of endless pages, end soon") {
  using namespace std::string_literals;
  const Scratch folder;
  const auto codes = [](char table, char symbol) {  // one code of one bit
    return "\xff\xc4\0\x14"s + table + '\1' + std::string(15, '\0') + symbol;
  };
  const auto scan = [](char first, char last) { return "\xff\xda\0\x08\1\1\0"s + first + last + '\0'; };
  // 800 x 800 of grey: 10000 blocks of a bit each, then scans of no value in up to 16384 blocks each
  std::string jpeg = "\xff\xd8\xff\xdb\0\x43\0"s + std::string(64, '\1') + "\xff\xc2\0\x0b\x08\3\x20\3\x20\1\1\x11\0"s +
                     codes('\0', '\0') + codes('\x10', '\xe0') + scan(0, 0) + std::string(1250, '\0');
  CHECK(message_of(folder.write("one.jpg", jpeg + scan(1, 63) + "\0\0\xff\xd9"s)) == "");
  for (int i = 0; i < 20000; ++i) jpeg += scan(1, 63) + "\0\0"s;
  const std::clock_t start = std::clock();  // of work: a busy machine is no fault
  has(message_of(folder.write("scans.jpg", jpeg + "\xff\xd9")), "scans for one image");

  const std::string tiff = contents(kFormats / "grey_4.tif");
  const auto entries = static_cast<std::size_t>(static_cast<unsigned char>(tiff[8]));
  has(message_of(folder.write("loop.tif", replaced(tiff, 10 + 12 * entries, "\x08\0\0\0"s)), 5),
      "the list of its pages does not end");
  CHECK(std::clock() - start < 2 * CLOCKS_PER_SEC);
}

TEST_CASE("a JPEG is whole without its end marker, and with stray bytes before a marker") {
  using namespace std::string_literals;
  const Scratch folder;
  const std::string jpeg = contents(kFormats / "ycbcr_420.jpg");
  const cv::Mat whole = sectile::read_raw_image(kFormats / "ycbcr_420.jpg").pixels;
  const auto table = jpeg.find("\xff\xdb"), end = jpeg.size() - 2;
  REQUIRE(jpeg.substr(end) == "\xff\xd9");
  const std::string stray(600, 'x');
  for (const auto& bytes : {jpeg.substr(0, end), jpeg.substr(0, end) + "\xff"s, std::string(jpeg).insert(end, stray),
                            std::string(jpeg).insert(table, stray), jpeg + stray})
    CHECK(same(sectile::read_raw_image(folder.write("a.jpg", bytes)).pixels, whole));
  has(message_of(folder.write("a.jpg", jpeg.substr(0, end - 4))), "is damaged or cut short");
  const std::string progressive = contents(kFormats / "progressive.jpg");
  const auto last_scan = progressive.rfind("\xff\xda");
  has(message_of(folder.write("a.jpg", progressive.substr(0, last_scan))), "is damaged or cut short");
}

TEST_CASE("integers of a TIFF are read in all their sizes, if they fit into 32 bits") {
  using sectile::test::Samples;
  const Scratch folder;
  const fs::path file = folder / "a.tif";
  cv::Mat eight_bytes(1, 2, CV_64F);
  auto* wide = eight_bytes.ptr<std::int64_t>();
  wide[0] = 70000, wide[1] = -5;
  const auto read = [&](const cv::Mat& pixels, Samples samples) {
    sectile::test::write_pages(file, {{pixels, samples}});
    return sectile::read_raw_image(file).pixels;
  };
  const cv::Mat small = (cv::Mat_<std::int8_t>(1, 2) << 100, -5), large = (cv::Mat_<int>(1, 2) << 70000, -5);
  CHECK(same(read(small, Samples::signed_integer), cv::Mat_<std::int16_t>(small)));
  CHECK(same(read(large, Samples::signed_integer), large));
  CHECK(same(sectile::read_image(file), cv::Mat_<float>(large)));
  CHECK(sectile::read_info(file).depth == CV_32S);
  CHECK(same(read(eight_bytes, Samples::signed_integer), large));
  CHECK(same(read(cv::abs(large), Samples::unsigned_integer), cv::abs(large)));
  CHECK_THROWS_WITH_AS(read(large, Samples::unsigned_integer),
                       doctest::Contains("a.tif: has the value 4294967291, and integers of up to 31 bits"), DataError);
  CHECK_THROWS_WITH_AS(read(eight_bytes, Samples::unsigned_integer),
                       doctest::Contains("has the value 18446744073709551611"), DataError);
}

TEST_CASE("reduced copies and transparency masks in a TIFF are no pages, except for the first") {
  const Scratch folder;
  const fs::path file = folder / "a.tif";
  const auto page = [](double value, std::size_t subfile) {
    return sectile::test::TiffPage{cv::Mat(2, 2, CV_8U, value), sectile::test::Samples::unsigned_integer, subfile};
  };
  sectile::test::write_pages(file, {page(1, 1), page(2, 1), page(3, 2), page(4, 4), page(5, 0), page(6, 5)});
  CHECK(sectile::read_info(file).pages == 3);
  CHECK(sectile::read_image(file, {.page = 1}).at<std::uint8_t>(0, 0) == 3);
  CHECK(sectile::read_image(file, {.page = 2}).at<std::uint8_t>(0, 0) == 5);
  has(message_of(file, 3), "has no page 3: there are 3 pages");
}
