// Of files made here; files of others are in real_files_test.cpp.
#include <sectile/data/image_io.h>
#include <sectile/data/label_files.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/damaged.h"
#include "support/object_tree.h"
#include "support/test.h"
#include "support/turned_photo.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_objects;

// https://github.com/NVIDIA/DALI/issues/2999, https://github.com/pytorch/vision/issues/1530
TEST_CASE("ids of categories may have gaps and be 0, ids of annotations be 0, and classes have ascending ids") {
  ObjectTree tree;
  tree.add(0, 3, 90, square(1, 1, 3), {1, 1, 3, 3})["area"] = 8.5;
  tree.add(17, 3, 0, square(5, 5, 2), {5, 5, 2, 2})["iscrowd"] = 1;
  const auto data = tree.open();
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 3);
  for (const auto& [i, name, id] : {std::tuple(0, "cat", 0), {1, "dog", 7}, {2, "car", 90}}) {
    const auto& one = classes[static_cast<std::size_t>(i)];
    CHECK(one.name == name);
    CHECK(one.category_id == id);
    CHECK(one.thing);
  }
  REQUIRE(data->size() == 2);
  const auto sample = data->read(0);
  CHECK(sample.id == "a/b/3");
  CHECK(sample.labels.empty());
  CHECK(sample.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));
  REQUIRE(sample.instances.size() == 2);
  const auto &car = sample.instances[0], &cat = sample.instances[1];
  CHECK(car.id == 0);
  CHECK(car.category == 2);
  CHECK(car.area == 8.5);  // as stated
  CHECK(car.mask.area() == 9);
  CHECK(car.box == cv::Rect2f(1, 1, 3, 3));
  CHECK_FALSE(car.crowd);
  CHECK(cat.category == 0);
  CHECK(cat.crowd);
  CHECK_FALSE(cat.area.has_value());
  CHECK(data->read(1).instances.empty());
  CHECK(data->classes_of(0) == std::vector<int>{0, 2});
  CHECK(data->classes_of(0) == data->Dataset::classes_of(0));
  CHECK(data->extent_of(0) == Extent{1, kTreeHeight, kTreeWidth});
}

TEST_CASE("labels depend on the file, and on images whose sizes are read: unknown or too large to be believed") {
  ObjectTree tree;
  tree.add_image(5, "5.png");
  tree.file["images"][1].erase("width");
  tree.file["images"][2]["width"] = 10'000;
  tree.file["images"][2]["height"] = 10'000;
  CHECK(label_files_of(*tree.open(Task::semantic)) ==
        std::vector<fs::path>{tree.path() / "annotations/instances_val.json", tree.path() / "images/val/1.png",
                              tree.path() / "images/val/5.png"});
}

// https://github.com/cocodataset/cocoapi/issues/440
TEST_CASE("images without annotations stay, unless they are to be left out, and names keep folders and letters") {
  ObjectTree tree;
  tree.add_image(2, "\u56f3 2.png");
  tree.add_image(4, "stra\u00dfe/1.png");
  tree.add(1, 1, 7, square(1, 1, 3));
  const auto data = tree.open();
  CHECK(data->size() == 4);
  CHECK(data->id_of(2) == "\u56f3 2");
  CHECK(data->read(3).id == "stra\u00dfe/1");
  const auto with = tree.open(Task::instance, {{"keep_empty", false}});
  CHECK(with->size() == 1);
  CHECK(with->id_of(0) == "1");
  REQUIRE(notes_of(*with).size() == 1);
  reports(notes_of(*with)[0], "instances_val.json: images without objects are left out: 3 of 4");
  const json cats = {{"keep_empty", false}, {"categories", {"cat"}}};
  reports(tree.problem(cats), "has no image with an object; see \"categories\" and \"keep_empty\"");
}

TEST_CASE("categories choose classes and their order, and objects of others are left out") {
  ObjectTree tree;
  tree.add(1, 3, 7, square(1, 1, 3));
  tree.add(2, 3, 90, square(5, 5, 2));
  tree.add(3, 3, 0, square(8, 1, 2));
  const auto data = tree.open(Task::instance, {{"categories", {"car", "cat"}}});
  REQUIRE(data->labels().classes.size() == 2);
  CHECK(data->labels().classes[0].name == "car");
  CHECK(data->labels().classes[1].category_id == 0);
  const auto sample = data->read(0);
  REQUIRE(sample.instances.size() == 2);
  CHECK(sample.instances[0].id == 2);
  CHECK(sample.instances[0].category == 0);
  CHECK(sample.instances[1].category == 1);
  CHECK(data->classes_of(0) == std::vector<int>{0, 1});
  reports(tree.problem({{"categories", {"car", "dogs"}}}), "/part/categories/1: ");
  reports(tree.problem({{"categories", {"car", "dogs"}}}), "dog");
  reports(tree.problem({{"categories", {"car", "car"}}}), "/part/categories/0: \"car\" is named twice");
}

TEST_CASE("a file without annotations, as COCO's image_info of test images, gives images without labels") {
  ObjectTree tree;
  tree.file.erase("annotations");
  for (const auto task : {Task::instance, Task::semantic}) {
    const auto data = tree.open(task, {{"keep_empty", false}});
    REQUIRE(data->size() == 2);
    reports(notes_of(*data).at(0), "instances_val.json: has no list \"annotations\"");
    const auto sample = data->read(1);
    CHECK(sample.image.cols == kTreeWidth);
    CHECK(sample.labels.empty());
    CHECK(sample.instances.empty());
    CHECK(data->image_id_of(1) == 1);
  }
  tree.file["annotations"] = json::array();
  CHECK_FALSE(tree.open(Task::semantic)->read(1).labels.empty());  // without objects: all background
}

TEST_CASE("images are turned upright or not, as the sizes in the file say") {
  ObjectTree tree;
  fs::copy_file(SECTILE_SOURCE_DIR "/tests/ground/formats/orientation_6.jpg", tree.path() / "images/val/1.png",
                fs::copy_options::overwrite_existing);  // 19 x 11 as stored, 11 x 19 upright
  tree.add(1, 1, 7, square(1, 1, 3));
  auto& image = tree.file["images"][1];
  image.update({{"width", 11}, {"height", 19}});
  CHECK(tree.open()->read(1).image.size() == cv::Size(11, 19));
  reports(tree.problem({{"apply_exif_orientation", false}}),
          "1.png: is 19 x 11 pixels, and ROOT/annotations/instances_val.json says that image 1 is 11 x 19 (width x "
          "height); the image's EXIF orientation swaps its sides: set \"apply_exif_orientation\" to true");
  image.update({{"width", 19}, {"height", 11}});
  CHECK(tree.open(Task::instance, {{"apply_exif_orientation", false}})->read(1).image.size() == cv::Size(19, 11));
  reports(tree.problem(), "swaps its sides: set \"apply_exif_orientation\" to false");
  image.erase("width");
  CHECK(tree.open()->extent_of(1) == Extent{1, 19, 11});
  CHECK(tree.open(Task::instance, {{"apply_exif_orientation", false}})->extent_of(1) == Extent{1, 11, 19});
  image.update({{"width", 20}, {"height", 11}});
  CHECK(tree.problem().find("EXIF") == std::string::npos);
}

TEST_CASE("annotations are read without the image") {
  ObjectTree tree;
  tree.add(1, 3, 7, square(1, 1, 3));
  for (const auto task : {Task::semantic, Task::instance, Task::panoptic}) {
    const auto data = tree.open(task);
    tree.image("a/b/3.png", cv::Mat(kTreeHeight, kTreeWidth, CV_8U, 0.0));
    const auto whole = data->read(0);
    CHECK(whole.instances.size() == (task == Task::semantic ? 0 : 1));
    test::cut_behind_header(tree.path() / "images/val/a/b/3.png");
    CHECK_THROWS_AS(data->read(0), DataError);
    const auto truth = data->read(0, {.image = false, .labels = true, .objects = true});
    CHECK(truth.instances.size() == whole.instances.size());
    CHECK(truth.labels.size() == whole.labels.size());
  }
}

TEST_CASE("names in a file lead results out of no folder") {
  ObjectTree tree;
  tree.add_image(5, "../../x/5.png");
  CHECK(tree.open()->id_of(2) == "x/5");
}

TEST_CASE("a photo with objects is turned upright, or read as it is stored") {
  ObjectTree tree;
  test::check_orientation(tree.path() / "images/val/a/b/3.png", [&](const cv::Size& size, const json& more) {
    tree.file["images"][0].update({{"width", size.width}, {"height", size.height}});
    return tree.open(Task::instance, more);
  });
}
