// COCO's files of objects: what is read, and what is refused with its place.
#include <cstdlib>

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

json whole_file() {
  return json::parse(R"({
    "annotations": [
      {"id": 7, "image_id": 20, "category_id": 90, "bbox": [1, 2, 3.5, 4], "area": 14.25, "iscrowd": 0,
       "segmentation": [[0, 0, 4, 0, 4, 4, 0, 4], [6, 0, 8, 0, 8, 2, 6, 2]], "extra": {"a": [1, "]}"]}},
      {"id": 0, "image_id": 3, "category_id": 5, "bbox": [0, 0, 2, 2], "area": 4, "iscrowd": true,
       "segmentation": {"size": [5, 7], "counts": [0, 2, 33]}},
      {"id": 9, "image_id": 20, "category_id": 90}],
    "info": {"year": 2026},
    "images": [{"id": 20, "width": 10, "height": 8, "file_name": "a/b.jpg"}, {"id": 3, "width": 7, "height": 5, "file_name": "\u00e9.png"},
               {"id": 4, "file_name": "c.jpg"}],
    "categories": [{"id": 90, "name": "toothbrush", "supercategory": "indoor"}, {"id": 5, "name": "plane"}]
  })");
}

CocoFile open_json(const test::Scratch& scratch, const std::string& text) {
  return CocoFile(scratch.write("instances.json", text));
}

std::string open_problem(const std::string& text) {
  const test::Scratch scratch;
  try {
    open_json(scratch, text);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

std::string first_fault(const std::string& pointer, const json& value) {
  auto content = whole_file();
  if (value.is_discarded())
    content.at(json::json_pointer(pointer).parent_pointer()).erase(json::json_pointer(pointer).back());
  else
    content[json::json_pointer(pointer)] = value;
  const test::Scratch scratch;
  const auto file = open_json(scratch, content.dump());
  return file.faults().empty() ? "none" : file.faults()[0].place + ": " + file.faults()[0].message;
}

bool holds(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::string mask_problem(const json& segmentation, int* short_rings = nullptr) {
  auto content = whole_file();
  content["annotations"][0]["segmentation"] = segmentation;
  const test::Scratch scratch;
  const auto file = open_json(scratch, content.dump());
  if (!file.faults().empty()) return file.faults()[0].message;
  try {
    return "area " + std::to_string(mask_of(file.of_image(0)[0].mask, {10, 8}, short_rings).area());
  } catch (const DataError& error) {
    return error.what();
  }
}

}  // namespace

TEST_CASE("images, categories and annotations are read, in whatever order the file has them") {
  const test::Scratch scratch;
  const auto file = open_json(scratch, whole_file().dump());
  REQUIRE(file.images().size() == 3);
  CHECK(file.images()[0].file_name == "a/b.jpg");
  CHECK(file.images()[0].size == cv::Size(10, 8));
  CHECK(file.images()[1].file_name == "é.png");
  CHECK(file.images()[2].size == cv::Size());
  CHECK(file.image_of(3) == 1);
  CHECK(file.image_of(21) == -1);
  REQUIRE(file.categories().size() == 2);
  CHECK(file.categories()[0].name == "toothbrush");
  CHECK(file.categories()[0].supercategory == "indoor");
  CHECK(file.category_of(5) == 1);
  CHECK(file.category_of(0) == -1);
  CHECK(file.faults().empty());

  REQUIRE(file.annotations().size() == 3);
  REQUIRE(file.of_image(0).size() == 2);
  const auto& first = file.of_image(0)[0];
  CHECK(first.id == 7);
  CHECK(first.category == 0);
  CHECK(first.box == cv::Rect2d(1, 2, 3.5, 4));
  CHECK(first.area == 14.25);
  CHECK_FALSE(first.crowd);
  CHECK(mask_of(first.mask, {10, 8}).area() == 16 + 4);
  const auto& bare = file.of_image(0)[1];
  CHECK(bare.id == 9);
  CHECK_FALSE(bare.has_box);
  CHECK(std::isnan(bare.area));
  CHECK(mask_of(bare.mask, {10, 8}).empty());
  const auto& crowd = file.of_image(1)[0];
  CHECK(crowd.id == 0);
  CHECK(crowd.crowd);
  CHECK(mask_of(crowd.mask, {7, 5}).rle().counts == std::vector<std::uint32_t>{0, 2, 33});
  CHECK(mask_of(crowd.mask, {}).area() == 2);  // an image of unknown size
  CHECK(file.of_image(2).empty());
}

TEST_CASE("a byte order mark, spaces and whole numbers as decimals do no harm") {
  const test::Scratch scratch;
  auto text = whole_file().dump(4);
  text.replace(text.find("\"image_id\": 20"), 14, "\"image_id\": 20.0");
  CHECK(open_json(scratch, "\xEF\xBB\xBF" + text + "\n\n").annotations().size() == 3);
}

TEST_CASE("both forms of run lengths are read, whatever iscrowd says, and empty runs within") {
  CHECK(mask_problem({{"size", {8, 10}}, {"counts", {3, 2, 0, 4, 71}}}) == "area 6");
  CHECK(mask_problem({{"size", {8, 10}}, {"counts", to_coco({{10, 8}, {3, 2, 0, 4, 71}})}}) == "area 6");
  const Rle columns{{10, 8}, {12, 28, 40}};
  CHECK(mask_problem({{"size", {8, 10}}, {"counts", to_coco(columns)}}) == "area 28");
  const auto with_escape = Rle{{200, 200}, {4, 44 + 32 * 12, 40000 - 4 - 44 - 32 * 12}};
  CHECK(holds(to_coco(with_escape), "\\"));  // JSON doubles it
  CHECK(from_coco(to_coco(with_escape), {200, 200}).counts == with_escape.counts);
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", to_coco(with_escape)}}), "has the run length"));
}

// https://github.com/open-mmlab/mmdetection/pull/9274, https://github.com/talmolab/sleap-io/pull/487
TEST_CASE("run lengths go down the columns and begin with zeros, as a list or as pycocotools writes them") {
  const auto read = [](const json& counts, const cv::Size& size) {
    const test::Scratch scratch;
    auto content = whole_file();
    content["images"][0].update({{"width", size.width}, {"height", size.height}});
    content["annotations"][0]["segmentation"] = {{"size", {size.height, size.width}}, {"counts", counts}};
    return mask_of(open_json(scratch, content.dump()).of_image(0)[0].mask, size);
  };
  const cv::Mat wanted = (cv::Mat_<std::uint8_t>(5, 7) << 1, 0, 0, 0, 0, 1, 1,  //
                          0, 0, 1, 0, 0, 0, 0,                                  //
                          0, 0, 1, 0, 0, 0, 0,                                  //
                          0, 0, 1, 0, 0, 0, 0,                                  //
                          0, 0, 0, 0, 0, 0, 1);
  for (const auto& counts : {json{0, 1, 10, 3, 11, 1, 4, 1, 3, 1}, json("01:21NI0O0")}) {
    const auto mask = read(counts, {7, 5});
    CHECK(cv::countNonZero(mask.bitmap() != wanted) == 0);
    CHECK(mask.area() == 7);
    CHECK(mask.box() == cv::Rect2f(0, 0, 7, 5));
  }
  CHECK(to_coco({{7, 5}, {0, 1, 10, 3, 11, 1, 4, 1, 3, 1}}) == "01:21NI0O0");

  // A rectangle of 50 x 40 with a hole of 30 x 1, and numbers of two and three characters.
  cv::Mat big(60, 90, CV_8U, cv::Scalar(0));
  big(cv::Rect(20, 10, 50, 40)) = 1;
  big(cv::Rect(30, 25, 30, 1)) = 0;
  std::string text = "jU1X1d0000000000000000000WO]O9c0";
  for (int i = 1; i < 29; ++i) text += "G]O9c0";
  const auto mask = read(text.append("G]O9c0`0000000000000000000VU1"), {90, 60});
  CHECK(cv::countNonZero(mask.bitmap() != big) == 0);
  CHECK(mask.area() == 1970);
  CHECK(mask.box() == cv::Rect2f(20, 10, 50, 40));
  CHECK(to_coco(mask.rle()) == text);

  CHECK(read({3, 4, 13}, {5, 4}).area() == 4);
  CHECK(read({3, 0, 2, 4, 11}, {5, 4}).area() == 4);
  CHECK(read({20}, {5, 4}).area() == 0);
  CHECK(read({0, 20}, {5, 4}).area() == 20);
}

TEST_CASE("a mask that is none is refused, and says what is wrong with it") {
  CHECK(mask_problem({{0, 0, 4, 0, 4, 4, 0}}) ==
        "polygon 0 of the mask: has 7 numbers; x and y of each corner are expected, which is an even number");
  CHECK(holds(mask_problem({{0, 0, 4, 0, 4, "x"}}), "polygon 0 of the mask: is [0,0,4,0,4,\"x\"]; finite numbers"));
  CHECK(holds(mask_problem({1, 2, 3, 4}), "mask: is [1,2,3,4]; a list of polygons is expected"));
  CHECK(holds(mask_problem("abc"), "segmentation: is \"abc\"; polygons or run lengths are expected"));
  CHECK(mask_problem({{"size", {8, 10}}, {"counts", {3, 2}}}) ==
        "mask: has run lengths of 5 pixels, and is of an image of 8 x 10 (height x width)");
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", {90, 2}}}), "has the run length 90"));
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", {-1, 81}}}), "has the run length -1"));
  CHECK(holds(mask_problem({{"size", {10, 8}}, {"counts", {80}}}),
              "has run lengths of an image of 10 x 8 (height x width), and its image is 8 x 10"));
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", "é"}}), "contain a character of another text"));
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", "P"}}), "end within a number"));
  CHECK(holds(mask_problem({{"size", {8}}, {"counts", {80}}}), "has the size [8]; [height, width] is expected"));
  CHECK(holds(mask_problem({{"size", {8, 10}}}), "has a size and no counts"));
  CHECK(holds(mask_problem({{"size", {8.5, 10}}, {"counts", {85}}}), "has the size [8.5,10]"));
  CHECK(holds(mask_problem({{"size", {4294967304, 10}}, {"counts", {80}}}), "has the size [4294967304,10]"));
  CHECK(holds(mask_problem({{"size", {8, 10}}, {"counts", {2.5, 77.5}}}), "has the run length 2.5"));

  const test::Scratch scratch;
  auto text = whole_file().dump();
  const auto file = open_json(scratch, text);
  CHECK_THROWS_WITH_AS(mask_of(file.of_image(0)[0].mask, {}), doctest::Contains("the size of its image is not known"),
                       DataError);
  text.replace(text.find("4],[6"), 5, "4] [6");
  const auto without_comma = open_json(scratch, text);
  CHECK_THROWS_WITH_AS(mask_of(without_comma.of_image(0)[0].mask, {10, 8}),
                       doctest::Contains("a list of polygons is expected"), DataError);
}

TEST_CASE("rings of fewer than three corners have no pixels and are counted; they are never boxes") {
  for (const auto& ring : {json{3, 4}, json{3, 4, 5, 6}}) {
    int short_rings = 0;
    CHECK(mask_problem(json::array({ring}), &short_rings) == "area 0");
    CHECK(short_rings == 1);
    short_rings = 0;
    CHECK(mask_problem({{0, 0, 5, 0, 5, 5, 0, 5}, ring}, &short_rings) == "area 25");
    CHECK(short_rings == 1);
  }
  CHECK(mask_problem({{1, 1, 1, 1, 1, 1}}) == "area 0");
  CHECK(mask_problem({{1, 1, 2, 2, 3, 3}}) == "area 0");
  for (const auto& none : {json::array(), json::array({json::array()})}) CHECK(mask_problem(none) == "area 0");
}

TEST_CASE("an annotation that cannot be used is a fault of its image alone") {
  CHECK(first_fault("/annotations/1/category_id", 6) ==
        "annotations[1] (id 0): has the category_id 6, which is not listed in \"categories\"");
  CHECK(first_fault("/annotations/1/category_id", "5") ==
        "annotations[1] (id 0): has the category_id \"5\"; a whole number is expected");
  CHECK(first_fault("/annotations/1/category_id", json(json::value_t::discarded)) ==
        "annotations[1] (id 0): has no category_id");
  CHECK(first_fault("/annotations/2/id", 7) ==
        "annotations[2] (id 7): has the id 7 of annotations[0]; give each its own");
  CHECK(holds(first_fault("/annotations/0/bbox", {1, 2, 3}),
              "has the bbox [1,2,3]; [x, y, width, height] in finite numbers is expected"));
  CHECK(holds(first_fault("/annotations/0/area", "big"), "has the area \"big\"; a finite number is expected"));
  CHECK(holds(first_fault("/annotations/0/iscrowd", 2), "has the iscrowd 2; 0 or 1 is expected"));
  CHECK(first_fault("/annotations/0/area", nullptr) == "none");

  const test::Scratch scratch;
  auto text = whole_file().dump();
  text.replace(text.find("14.25"), 5, "NaN");  // as Python writes it
  const auto file = open_json(scratch, text);
  REQUIRE(file.faults().size() == 1);
  CHECK(holds(file.faults()[0].message, "has the area NaN"));
  CHECK(file.faults()[0].image == 0);
  CHECK(file.of_image(0)[0].category == -1);

  auto two = whole_file();  // in the order of images, not of the file
  two["annotations"][1]["area"] = "big";
  two["annotations"][2]["area"] = "big";
  const auto sorted = open_json(scratch, two.dump());
  REQUIRE(sorted.faults().size() == 2);
  CHECK(sorted.faults()[0].image == 0);
  CHECK(sorted.faults()[1].image == 1);
}

TEST_CASE("an image whose entry has odd types is a fault of that image alone") {
  CHECK(first_fault("/images/0/width", "60") ==
        "images[0] (id 20): has the width \"60\"; a number of pixels is expected");
  CHECK(first_fault("/images/0/height", -4) == "images[0] (id 20): has the height -4; a number of pixels is expected");
  CHECK(first_fault("/images/0/height", 1.5) ==
        "images[0] (id 20): has the height 1.5; a number of pixels is expected");
  CHECK(first_fault("/images/1/file_name", 5) == "images[1] (id 3): has the file_name 5; a text is expected");
  CHECK(first_fault("/images/1/file_name", {"a.png"}) ==
        "images[1] (id 3): has the file_name [\"a.png\"]; a text is expected");
  CHECK(first_fault("/images/0/file_name", std::string("a\0.png", 6)) ==
        "images[0] (id 20): has a file_name with a zero byte in it");
  CHECK(first_fault("/images/0/width", nullptr) == "none");  // not stated
  CHECK(first_fault("/images/0/file_name", nullptr) == "none");

  auto content = whole_file();
  content["images"][0]["width"] = "60";
  content["annotations"][0]["iscrowd"] = 2;
  const test::Scratch scratch;
  const auto file = open_json(scratch, content.dump());
  REQUIRE(file.faults().size() == 2);
  CHECK(file.faults()[0].of_image);
  CHECK(file.faults()[0].image == 0);
  CHECK_FALSE(file.faults()[1].of_image);
  CHECK(file.images()[0].size == cv::Size());
  CHECK(file.images()[1].size == cv::Size(7, 5));
}

TEST_CASE("annotations of images that are not listed are left out and told") {
  auto content = whole_file();
  content["annotations"][1]["image_id"] = 77;
  const test::Scratch scratch;
  const auto file = open_json(scratch, content.dump());
  CHECK(file.annotations().size() == 2);
  CHECK(file.unlisted_images() == std::vector<std::int64_t>{77});
  content["annotations"][0]["image_id"] = 5;
  content["annotations"][2]["image_id"] = 77;
  CHECK(open_json(scratch, content.dump()).unlisted_images() == std::vector<std::int64_t>{5, 77});  // each once
}

TEST_CASE("numbers are those of JSON: as Python reads and refuses them") {
  for (const char* const text : {"0", "-0", "0.0", "7", "-7", "7.5", "1e2", "1E-2", "1e-400", "-0.0e5", "0e1"}) {
    CAPTURE(text);
    const auto read = test::replaced(whole_file().dump(), "14.25", text);
    const test::Scratch scratch;
    const auto file = open_json(scratch, read);
    REQUIRE(file.faults().empty());
    CHECK(file.of_image(0)[0].area == std::strtod(text, nullptr));
  }
  for (const char* const text : {"07", "-07", "1.", ".5", "-.5", "00", "+1", "0x1", "1e999", "-", "1.e2"}) {
    CAPTURE(text);
    const test::Scratch scratch;
    const auto content = test::replaced(whole_file().dump(), "14.25", text);
    std::string problem;
    try {
      const auto file = open_json(scratch, content);
      problem = file.faults().empty() ? "" : file.faults()[0].message;
    } catch (const DataError& error) {
      problem = error.what();
    }
    CHECK_FALSE(problem.empty());
  }
  CHECK(holds(first_fault("/annotations/0/image_id", 20.0), "none"));
}

TEST_CASE("what is not an instances file is refused with its place") {
  const auto text = whole_file().dump();
  CHECK(holds(open_problem(""), "is empty; it should be JSON"));
  CHECK(holds(open_problem("  \n"), "is empty; it should be JSON"));
  CHECK(holds(open_problem("[]"), "instances.json: is no object; {\"images\": …, "));
  CHECK(holds(open_problem(R"({"images": [], "annotations": []})"), "has no list \"categories\""));
  CHECK(holds(open_problem(R"({"images": [{"file_name": "a"}], "annotations": [], "categories": []})"),
              "images[0]: has no id"));
  CHECK(holds(open_problem(R"({"images": [{"id": "x"}], "annotations": [], "categories": []})"),
              "images[0]: has the id \"x\"; a whole number"));
  CHECK(holds(open_problem(R"({"images": [{"id": 1}, {"id": 1}], "annotations": [], "categories": []})"),
              "images[1]: has the id 1 of images[0]"));
  CHECK(holds(open_problem(R"({"images": [], "annotations": [{"id": 1}], "categories": []})"),
              "annotations[0]: has no image_id"));
  CHECK(holds(open_problem(R"({"images": [], "annotations": [1], "categories": []})"),
              "annotations[0]: is no object; {"));
  CHECK(holds(open_problem(R"({"images": null, "annotations": [], "categories": []})"),
              "has \"images\" that is no list; [{"));
  CHECK(holds(open_problem(R"({"images": [], "annotations": [], "categories": [{"id": 1, "name": 5}]})"),
              "categories[0]: has the name 5; a text is expected"));
  for (const char* more : {"x", "{}", ", 1"}) CHECK(open_problem(text + more) != "no error");
  const test::Scratch scratch;
  CHECK_THROWS_WITH_AS(CocoFile(scratch / "none.json"), doctest::Contains("cannot be read: No such file"), DataError);
  CHECK_THROWS_WITH_AS(CocoFile(scratch.path()), doctest::Contains("is a folder"), DataError);
}

TEST_CASE("a file that ends anywhere is refused, not read in part") {
  const auto text = whole_file().dump();
  for (std::size_t end = 0; end < text.size(); ++end) {
    CAPTURE(end);
    CHECK(open_problem(text.substr(0, end)) != "no error");
  }
}

TEST_CASE("names and texts with escapes are what they stand for, and a list comes once") {
  auto text = whole_file().dump();
  text.replace(text.find("\"image_id\""), 10, "\"im\\u0061ge_id\"");
  text.replace(text.find("\"iscrowd\""), 9, "\"iscr\\u006fwd\"");
  const test::Scratch scratch;
  const auto file = open_json(scratch, text);
  CHECK(file.faults().empty());
  CHECK(file.annotations().size() == 3);
  // Counts as serializers write them that escape what is no letter.
  auto escaped = whole_file();
  escaped["annotations"][0]["segmentation"] = {{"size", {8, 10}}, {"counts", "MARK"}};
  const auto plain = to_coco({{10, 8}, {12, 28, 40}});
  std::string written;
  for (const char c : plain) {
    char escape[8];
    std::snprintf(escape, sizeof escape, "\\u%04x", static_cast<unsigned>(c));
    written += escape;
  }
  auto with = escaped.dump();
  with.replace(with.find("MARK"), 4, written);
  CHECK(mask_of(open_json(scratch, with).of_image(0)[0].mask, {10, 8}).area() == 28);

  const auto once = whole_file().dump();
  CHECK(holds(open_problem("{\"images\": [], " + once.substr(1)), "has the list \"images\" twice"));
}
