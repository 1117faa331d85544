// Results that are larger than the parts in which they are read.
#include <algorithm>
#include <fstream>
#include <optional>

#include <sectile/data/coco_file.h>
#include <sectile/data/rle.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/scratch.h"
#include "support/test.h"

using namespace sectile;
using nlohmann::json;

namespace {

constexpr int kImages = 40;
constexpr int kResults = 6000;  // about 1 MB, four parts

json truth_of_images() {
  json truth{{"images", json::array()}, {"categories", json::array()}, {"annotations", json::array()}};
  for (int i = 0; i < kImages; ++i) truth["images"].push_back({{"id", 100 + i}, {"width", 9}, {"height", 8}});
  for (int i = 0; i < 5; ++i)
    truth["categories"].push_back({{"id", 10 * i + 10}, {"name", std::string(1, static_cast<char>('a' + i))}});
  return truth;
}

json many_results() {
  json results = json::array();
  for (int i = 0; i < kResults; ++i) {
    cv::Mat pixels(8, 9, CV_8U, cv::Scalar(0));
    pixels.at<std::uint8_t>(i % 8, i % 9) = 1;
    results.push_back({{"image_id", 100 + i * 7 % kImages},
                       {"category_id", 10 * (i % 5) + 10},
                       {"score", i / double(kResults)},
                       {"bbox", {i, 1.5, 2, 3}},
                       {"segmentation", {{"size", {8, 9}}, {"counts", to_coco(rle_of(pixels))}}}});
  }
  return results;
}

// Each result is where it should be, whoever read it.
void check_read(const std::string& text, int threads, bool masks = true) {
  const test::Scratch scratch;
  const CocoFile truth(scratch.write("truth.json", truth_of_images().dump()));
  const CocoResults results(scratch.write("results.json", text), truth, {threads, masks});
  REQUIRE(results.all().size() == kResults);
  std::vector<int> next(kImages);  // of each image, the number of its next result
  int wrong = 0;
  for (int number = 0; number < kResults; ++number) {
    const int image = number * 7 % kImages;
    const auto& one = results.of_image(image)[static_cast<std::size_t>(next[static_cast<std::size_t>(image)]++)];
    bool is_right = one.category == number % 5 && one.score == number / double(kResults) &&
                    one.box == cv::Rect2d(number, 1.5, 2, 3) && one.image == image;
    if (masks) {
      const auto mask = mask_of(one.mask, {9, 8});
      is_right &= mask.area() == 1 && mask.bitmap().at<std::uint8_t>(number % 8, number % 9) != 0;
    } else {
      is_right &= one.mask.form == CocoMask::Form::none;
    }
    wrong += !is_right;
  }
  CHECK(wrong == 0);
}

std::string problem(const std::string& text, int threads = 2) {
  const test::Scratch scratch;
  const CocoFile truth(scratch.write("truth.json", truth_of_images().dump()));
  try {
    const CocoResults results(scratch.write("results.json", text), truth, {threads, true});
    return "read " + std::to_string(results.all().size());
  } catch (const DataError& error) {
    return error.what();
  }
}

bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("results read in parts, by any number of threads, are those of the file") {
  const auto results = many_results();
  for (const int threads : {1, 2, 5})
    for (const int indent : {-1, 0, 3}) {
      CAPTURE(threads);
      CAPTURE(indent);
      check_read(results.dump(indent), threads);
    }
  check_read(results.dump(), 2, false);
}

TEST_CASE("results of a category that is not listed are counted over all parts, and do not count") {
  auto results = many_results();
  for (const std::size_t at : {10u, 11u, 5900u}) results[at]["category_id"] = at == 11 ? 3 : 777;
  const test::Scratch scratch;
  const CocoFile truth(scratch.write("truth.json", truth_of_images().dump()));
  const CocoResults read(scratch.write("results.json", results.dump()), truth, {2, true});
  CHECK(read.all().size() == kResults - 3);
  CHECK(read.unlisted_categories() == std::vector<std::pair<std::int64_t, std::size_t>>{{3, 1}, {777, 2}});
}

TEST_CASE("text that looks like the end of a result does not cut one") {
  SUBCASE("in strings") {
    auto results = many_results();
    for (auto& one : results) one["note"] = "}, {\"image_id\": 1}, {";
    check_read(results.dump(), 2);
  }
  SUBCASE("in lists of objects") {
    auto results = many_results();
    for (auto& one : results) one["parts"] = {{{"a", 1}}, {{"image_id", 2}}, {{"b", {{{"c", 3}}, {{"d", 4}}}}}};
    check_read(results.dump(), 2);
  }
  SUBCASE("in one result alone, wherever a part is cut") {
    auto results = many_results();
    for (int at = 100; at < kResults; at += 700) {
      auto odd = results;
      odd[static_cast<std::size_t>(at)]["x"] = std::vector<json>(5000, {{"y", "}, {"}});
      check_read(odd.dump(), 2);
    }
  }
}

// Bytes that this process has read so far, from the cache of the system or not. None: the system does not tell.
std::optional<std::uint64_t> bytes_read() {
  std::ifstream counts("/proc/self/io");
  std::string name;
  std::uint64_t bytes = 0;
  if (counts >> name >> bytes && name == "rchar:") return bytes;
  return {};
}

TEST_CASE("what is between results may be as long as it likes, and is not read again and again") {
  auto text = many_results().dump();
  text.insert(text.find("},{", text.size() / 2) + 2, std::size_t{64} << 20, ' ');
  const auto before = bytes_read();
  check_read(text, 1);
  const auto after = bytes_read();
  if (before && after)
    CHECK(*after - *before < 4 * text.size());  // over 100 times if every part looked for the end
  else
    MESSAGE("not counted: this system has no /proc/self/io");
}

TEST_CASE("a result may be larger than several parts") {
  auto results = many_results();
  for (const int at : {0, 2500, kResults - 1})
    results[static_cast<std::size_t>(at)]["embedding"] = std::vector<double>(200000, 0.25);
  check_read(results.dump(), 1);
  check_read(results.dump(), 3);
}

TEST_CASE("what is wrong in a later part is found, with its place") {
  const auto results = many_results();
  auto odd = results;
  odd[5100]["image_id"] = 7;
  odd[5900].erase("score");
  CHECK(has(problem(odd.dump()), "[5100]: is of the image 7"));
  odd = results;
  odd[5900].erase("score");
  CHECK(has(problem(odd.dump()), "[5900]: has no score"));
  odd = results;
  odd[4000] = 3;
  CHECK(has(problem(odd.dump()), "[4000]: is no object; {"));
  const auto text = results.dump();
  for (const auto end : {std::size_t{1}, text.size() / 2, text.size() - 1})
    CHECK_FALSE(has(problem(text.substr(0, end)), "read "));
  CHECK_FALSE(has(problem(text + "]"), "read "));
  CHECK_FALSE(has(problem(text + ", {}"), "read "));
  CHECK_FALSE(has(problem(text.substr(1)), "read "));
  auto marked = text;
  marked.insert(0, "\xEF\xBB\xBF");
  CHECK(has(problem("5"), "results.json: is a single value; a list or an object is expected"));
  CHECK(problem("[]") == "read 0");
  CHECK(problem(marked) == "read " + std::to_string(kResults));
  // A comma for a colon, and a quote that is missing, far from any cut.
  for (const char* const from : {"\":", "\""}) {
    auto damaged = text;
    damaged[damaged.find(from, 3 * damaged.size() / 5)] = ' ';
    CHECK_FALSE(has(problem(damaged), "read "));
  }
}

// Results of 128 bytes: the reader's memory has the same text behind the end of a part as the part before.
TEST_CASE("a file that ends anywhere in a later part is refused, whatever lies behind its end in memory") {
  constexpr std::size_t kBytes = 128, kPart = std::size_t{1} << 18;
  std::string one = R"({"bbox":[1,2,3,4],"category_id":10,"image_id":100,"score":0.5,"x":{"y":[7,8],"z":")";
  one.append(kBytes - 4 - one.size(), 'a').append("\"}},");
  REQUIRE(one.size() == kBytes);
  std::string text = "[";
  while (text.size() < kPart + 3 * kBytes) text += one;
  for (std::size_t end = kPart + kBytes; end < kPart + 2 * kBytes; ++end) {
    CAPTURE(end);
    CHECK_FALSE(has(problem(text.substr(0, end), 1), "read "));
  }
}
