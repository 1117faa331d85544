// What is wrong with a panoptic file, an entry of it or an image, and where.
#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/damaged.h"
#include "support/panoptic_tree.h"
#include "support/test.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_segments;

// https://github.com/cocodataset/panopticapi/issues/10
TEST_CASE("segments in the PNG and not in the JSON file, and the reverse, are refused by name") {
  PanopticTree tree;
  tree.segments(0).erase(1);
  const std::string png = "ROOT/annotations/panoptic_val2017/p/a.png: ";
  const std::string place = "see ROOT/annotations/panoptic_val2017.json: annotations[0] (image 31)";
  tells(tree.problem(), png + "has segments that segments_info does not list, with the ids 11; " + place);
  tree.segments(0).push_back(PanopticTree::segment(11, 7, 9));
  tree.segments(0).push_back(PanopticTree::segment(12, 7, 0));
  tells(tree.problem(), png + "has no pixel of the segments 12, which segments_info lists; " + place);
  tree.segments(0)[2] = PanopticTree::segment(11, 7, 0);
  tells(tree.problem(), "annotations[0] (image 31): segments_info[2] has the id 11 of another segment");
  tree.segments(0).erase(2);
  tree.segments(0)[1]["category_id"] = 9;
  tells(tree.problem(), "annotations[0] (image 31): segment 11 has the category_id 9, which is not listed in");
  tree.segments(0)[1] = PanopticTree::segment(0, 7, 9);
  tells(tree.problem(), "segments_info[1] has the id 0; 1 to 16777215 (0 is void) is expected");
  tree.segments(0)[1] = PanopticTree::segment(16777216, 7, 9);
  tells(tree.problem(), "segments_info[1] has the id 16777216; 1 to");
  tree.segments(0)[1].erase("id");
  tells(tree.problem(), "segments_info[1] has no id");
  tree.segments(0)[1] = {{"id", 11}, {"category_id", "seven"}};
  tells(tree.problem(), "segments_info[1] has the category_id \"seven\"; a whole number is expected");
  CHECK(tree.open()->read(1).segments.size() == 2);  // one bad annotation leaves the others
}

TEST_CASE("sizes of the image, its PNG and its entry in the file must agree") {
  PanopticTree tree;
  const std::string png = "annotations/panoptic_val2017/p/a.png", photo = "images/val2017/p/a.jpg";
  tree.image(photo, cv::Mat(6, 5, CV_8UC3, cv::Scalar::all(0)));
  tells(tree.problem(),
        "ROOT/images/val2017/p/a.jpg: is 5 x 6 pixels, and ROOT/annotations/panoptic_val2017.json says "
        "that image 31 is 6 x 6 (width x height)");
  tree.file["images"][0].erase("width");
  tree.file["images"][0].erase("height");
  tells(tree.problem(), "a.png: is 6 x 6 pixels, and its image ROOT/images/val2017/p/a.jpg is 5 x 6 (width x height)");
  CHECK(tree.open()->extent_of(0) == Extent{1, 6, 5});
  tree.file["images"][0].update({{"width", 5}, {"height", 6}});
  tells(tree.problem(), "a.png: is 6 x 6 pixels, and ROOT/annotations/panoptic_val2017.json says that image 31 is 5 x");
  fs::remove(tree.path() / photo);
  tells(tree.problem(), "ROOT/images/val2017/p/a.jpg");
  tree.image(photo, cv::Mat(6, 6, CV_8UC3, cv::Scalar::all(0)));
  tree.file["images"][0]["width"] = 6;
  fs::remove(tree.path() / png);
  tells(tree.problem(), "ROOT/" + png);
}

TEST_CASE("a damaged panoptic file is refused with its place") {
  const auto broken = [](const char* pointer, const json& value) {
    PanopticTree tree;
    tree.file[json::json_pointer(pointer)] = value;
    return tree.problem();
  };
  const std::string file = "ROOT/annotations/panoptic_val2017.json";
  tells(broken("/categories/1/id", 7), file + ": has two categories of the id 7");
  tells(broken("/categories/1/name", "car"), file + ": has two categories named \"car\"");
  tells(broken("/categories/1/isthing", 2), file + ": categories[1]: has the isthing 2; 0 or 1 is expected");
  tells(broken("/categories/1/isthing", nullptr), "categories[1]: has the isthing null; 0 or 1 is expected");
  tells(broken("/categories/1/color", {1, 2, 256}), "categories[1]: has the color [");
  tells(broken("/categories/1/name", ""), "categories[1]: has no name");
  tells(broken("/categories", json::array()), file + ": has no category");
  tells(broken("/categories/1/name", nullptr), "categories[1]: has no name");
  tells(broken("/categories/1/name", 5), "categories[1]: has the name 5; a text is expected");
  tells(broken("/categories/1", 5), file + ": categories[1]: is no object; {");
  tells(broken("/images/1/id", 31), file + ": has two images of the id 31");
  tells(broken("/images/1/id", 1.5), "images[1]: has the id 1.5; a whole number is expected");
  tells(broken("/images", nullptr), file + ": has \"images\" that is no list");
  tells(broken("/annotations/1/image_id", 99), "annotations[1]: is of the image 99, which is not listed in \"images\"");
  tells(broken("/annotations/1/image_id", 31),
        "annotations[0] (image 31): is of an image that annotations[1] is of too");
  tells(broken("/annotations/0/file_name", ""), "annotations[0] (image 31): has no file_name");
  tells(broken("/annotations/0/file_name", 5), "annotations[0] (image 31): has the file_name 5; a text is expected");
  tells(broken("/annotations/0/segments_info", nullptr),
        "annotations[0] (image 31): has the segments_info null; a list is expected");
  tells(broken("/annotations/0/segments_info/1", nullptr),
        "annotations[0] (image 31): segments_info[1] is no object; {");
  tells(broken("/annotations/1/segments_info", nullptr), "no error");  // of another image
  tells(broken("/annotations", "none"), file + ": has \"annotations\" that is no list");

  PanopticTree tree;
  const auto complete = tree.file;
  tree.file["annotations"][0].erase("segments_info");
  tells(tree.problem(),
        "annotations[0] (image 31): has no segments_info; a file of COCO's panoptic format is expected");
  tree.file = complete;
  tree.text = "{\"categories\": [], " + complete.dump().substr(1);
  tells(tree.problem(), file + ": has the list \"categories\" twice");
  const auto whole = complete.dump(1);
  for (std::size_t length = 0; length < whole.size(); length += 7) {  // cut anywhere, it is a DataError
    tree.text = whole.substr(0, length) + " ";
    CAPTURE(length);
    CHECK_THROWS_AS(tree.open(), DataError);
  }
  tree.text = test::replaced(whole, "\"area\": 18", "\"area\": NaN");
  tells(tree.problem(), "segments_info[0] has the area NaN; a finite number is expected");
  tree.text = "{\"images\": [], \"annotations\": []}";
  tells(tree.problem(), "has no list \"categories\"; a file of COCO's panoptic format has images, annotations and");
}

TEST_CASE("an image with a bad entry in a panoptic file is a bad sample, and the others are read") {
  const auto problem = [](const char* key, const json& value, const char* name) {
    PanopticTree tree;
    tree.file["images"][0][key] = value;
    const auto data = tree.open();
    CHECK(data->id_of(0) == name);
    CHECK(data->read(1).segments.size() == 2);
    CHECK_THROWS_AS(data->read(0, {.image = true, .labels = false, .objects = false}), DataError);
    CHECK_THROWS_AS(data->extent_of(0), DataError);
    CHECK_THROWS_AS(data->classes_of(0), DataError);
    return tree.problem();
  };
  const std::string place = "ROOT/annotations/panoptic_val2017.json: image 31: ";
  tells(problem("width", "60", "p/a"), place + "has the width \"60\"; a number of pixels is expected");
  tells(problem("height", -4, "p/a"), place + "has the height -4; a number of pixels is expected");
  tells(problem("file_name", nullptr, "image 31"), place + "has no file_name");
  tells(problem("file_name", 5, "image 31"), place + "has the file_name 5; a text is expected");
  PanopticTree tree;
  tree.file["images"][1]["file_name"] = "p/a.png";
  const auto data = tree.open();
  CHECK(data->read(0).id == "p/a");
  CHECK(data->id_of(1) == "image 4");
  CHECK_THROWS_WITH_AS(data->read(1), doctest::Contains("another image is named \"p/a\" (without suffix) too"),
                       DataError);
}
