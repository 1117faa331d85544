// What is wrong with a file of objects, an entry of it or an image, and where.
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/damaged.h"
#include "support/object_tree.h"
#include "support/test.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_objects;

TEST_CASE("a bad annotation is an error of its image, with its place, and other images are read") {
  const auto problem = [](const json& change, Task task = Task::instance) {
    ObjectTree tree;
    tree.add(4, 1, 7, square(1, 1, 3));
    tree.add(5, 3, 7, square(1, 1, 3), {1, 1, 3, 3}).merge_patch(change);
    CHECK(tree.open(task)->read(1).id == "1");
    return tree.problem(json::object(), task);
  };
  const auto mask = [&](const json& segmentation) {
    const auto found = problem({{"segmentation", segmentation}});
    CHECK(found == problem({{"segmentation", segmentation}}, Task::semantic));
    return found;
  };
  const std::string place = "ROOT/annotations/instances_val.json: annotation 5 of a/b/3.png: ";
  reports(problem({{"category_id", 8}}),
          "ROOT/annotations/instances_val.json: annotations[1] (id 5) of a/b/3.png: has "
          "the category_id 8, which is not listed in");
  reports(problem({{"id", 4}}), "annotations[1] (id 4) of a/b/3.png: has the id 4 of annotations[0]");
  reports(problem({{"bbox", {1, 2, 3}}}), "has the bbox [1,2,3]; [x, y, width, height] in finite numbers is expected");
  reports(problem({{"iscrowd", 2}}), "has the iscrowd 2; 0 or 1 is expected");
  reports(problem({{"bbox", nullptr}, {"segmentation", nullptr}}), place + "has neither bbox nor segmentation");
  reports(mask(one_ring({1, 1, 5, 1, "x", 5})),
          place + "polygon 0 of the mask: is [1,1,5,1,\"x\",5]; finite numbers are");
  reports(mask({{"size", {10, 12}}, {"counts", {3, 4}}}), place + "the mask has run lengths of 7 pixels, and is of an");
  reports(mask({{"size", {10, 12}}, {"counts", {3, 400}}}), place + "the mask ");
  reports(mask({{"size", {10, 12}}, {"counts", {3, -1, 118}}}), place + "the mask has the run length -1");
  reports(mask({{"size", {12, 10}}, {"counts", {120}}}), place + "the mask has run lengths of an image of 12 x 10");
  reports(mask({{"size", {10, 12}}, {"counts", "zz"}}), place + "the mask has compressed run lengths that ");
  reports(mask("none"), "annotations[1] (id 5) of a/b/3.png: ");
}

TEST_CASE("an image with a bad entry is a bad sample, and the others are read") {
  const auto problem = [](const char* key, const json& value, const char* name) {
    ObjectTree tree;
    tree.add(4, 1, 7, square(1, 1, 3))["iscrowd"] = 2;  // told after what is wrong with the image itself
    tree.file["images"][1][key] = value;
    const auto data = tree.open(Task::instance, {{"keep_empty", false}});
    CHECK(data->size() == 1);
    CHECK(data->id_of(0) == name);
    const auto all = tree.open();
    CHECK(all->read(0).id == "a/b/3");
    CHECK(all->image_id_of(1) == 1);
    CHECK_THROWS_AS(all->read(1, {.image = true, .labels = false, .objects = false}), DataError);
    CHECK_THROWS_AS(all->extent_of(1), DataError);
    CHECK_THROWS_AS(all->classes_of(1), DataError);
    return tree.problem();
  };
  const std::string place = "ROOT/annotations/instances_val.json: images[1] (id 1): ";
  reports(problem("width", "60", "1"), place + "has the width \"60\"; a number of pixels is expected");
  reports(problem("file_name", nullptr, "image 1"), place + "has no file_name");
  reports(problem("file_name", "", "image 1"), place + "has no file_name");
  reports(problem("file_name", "..", "image 1"), place + "has the file_name \"..\", which names no file");
  reports(problem("file_name", 5, "image 1"), place + "has the file_name 5; a text is expected");
  ObjectTree tree;
  tree.file["images"][1]["file_name"] = "a/b/3.jpg";
  CHECK(tree.open()->id_of(1) == "image 1");
  reports(tree.problem(), place +
                              "has the file_name \"a/b/3.jpg\", and another image is named \"a/b/3\" (without "
                              "suffix) too; give each its own");
}

TEST_CASE("what is wrong with a file of objects as a whole is refused with its place") {
  const auto broken = [](const char* pointer, const json& value) {
    ObjectTree tree;
    tree.file[json::json_pointer(pointer)] = value;
    return tree.problem();
  };
  const std::string file = "ROOT/annotations/instances_val.json";
  reports(broken("/images/1/id", 3), "images[1]: has the id 3 of images[0]");
  reports(broken("/images/1/id", nullptr), "images[1]: has the id null; a whole number is expected");
  reports(broken("/images/1", 5), file + ": images[1]: is no object; {");
  reports(broken("/images", json::array()), file + ": has no image in \"images\"");
  reports(broken("/categories/1/id", 7), "has the id 7 of categories[1]");
  reports(broken("/categories/1/name", "dog"), file + ": has two categories named \"dog\"");
  reports(broken("/categories/1/name", ""), file + ": has no name for the category 0");
  reports(broken("/categories", json::array()), file + ": has 0 categories");

  ObjectTree tree;
  tree.add(1, 3, 7, square(1, 1, 3), {1, 1, 3, 3});
  const auto whole = tree.file.dump(1);
  for (std::size_t length = 0; length < whole.size(); length += 11) {  // cut anywhere, it is a DataError
    tree.text = whole.substr(0, length) + " ";
    CAPTURE(length);
    CHECK_THROWS(tree.open());
  }
  tree.text = test::replaced(whole, "\"image_id\": 3", "\"image_id\": NaN");
  reports(tree.problem(), "annotations[0]: has the image_id NaN; a whole number is expected");
  tree.text.clear();
  tree.add(2, 99, 7, square(1, 1, 3));
  reports(left_out_of(*tree.open()).at(0),
          "annotations of images that \"images\" does not list are left out: of 1 images,");
}

TEST_CASE("an image that is missing or of another size is an error of its sample, and a wrong folder of the option") {
  ObjectTree tree;
  tree.image("1.png", cv::Mat(7, kTreeWidth, CV_8U, 0.0));
  reports(tree.problem(),
          "ROOT/images/val/1.png: is 12 x 7 pixels, and ROOT/annotations/instances_val.json says that "
          "image 1 is 12 x 10 (width x height)");
  fs::remove(tree.path() / "images/val/1.png");
  reports(tree.problem(), "ROOT/images/val/1.png");
  CHECK(tree.open()->read(0).id == "a/b/3");
  tree.file["images"][0].erase("width");
  CHECK(tree.open()->extent_of(0) == Extent{1, kTreeHeight, kTreeWidth});  // of the image's file
  fs::remove_all(tree.path() / "images/val/a");
  reports(tree.problem(), "/part/images: ROOT/images/val has none of the first 2 images that ROOT/annotations/");
  reports(tree.problem({{"images", "nowhere"}}), "nowhere is not a folder");
  reports(tree.problem({{"annotations", "nowhere"}}), "nowhere is not a file");
  reports(tree.problem({{"root", nullptr}}), "/part/root: is missing: give \"root\", or both");
  reports(tree.problem({{"split", "all"}}),
          "/part/annotations: is missing, and there is neither ROOT/annotations/instances_all.json nor "
          "ROOT/all/_annotations.coco.json, which should be the JSON file of the split; check \"root\" and \"split\". "
          "The files in ROOT/annotations are: instances_val.json");
}
