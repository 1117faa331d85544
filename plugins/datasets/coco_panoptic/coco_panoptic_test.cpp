// Of files made here; files of others are in real_panoptic_test.cpp.
#include <sectile/data/coco_panoptic_file.h>
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/damaged.h"
#include "support/panoptic_tree.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/turned_photo.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_segments;

// https://github.com/cocodataset/panopticapi/issues/34 and others: ids of 65536 and more, and the order of channels.
TEST_CASE("the id of a segment is red + 256 green + 65536 blue") {
  const test::Scratch folder;
  const cv::Mat rgb = (cv::Mat_<cv::Vec3b>(3, 3) << cv::Vec3b(0, 0, 0), cv::Vec3b(255, 0, 0), cv::Vec3b(0, 1, 0),
                       cv::Vec3b(255, 255, 0), cv::Vec3b(0, 0, 1), cv::Vec3b(112, 17, 1), cv::Vec3b(255, 255, 255),
                       cv::Vec3b(147, 101, 0), cv::Vec3b(1, 0, 0));
  write_png(folder / "ids.png", rgb);
  CHECK(values(read_panoptic_png(folder / "ids.png")) ==
        std::vector<int>{0, 255, 256, 65535, 65536, 70000, 16777215, 26003, 1});
  write_png(folder / "grey.png", cv::Mat(2, 2, CV_8U, 0.0));
  CHECK_THROWS_WITH_AS(read_panoptic_png(folder / "grey.png"), doctest::Contains("has 1 channels of 8 bits"),
                       DataError);
  write_png(folder / "deep.png", cv::Mat(2, 2, CV_16UC3, cv::Scalar::all(0)));
  CHECK_THROWS_WITH_AS(read_panoptic_png(folder / "deep.png"), doctest::Contains("has 3 channels of 16 bits"),
                       DataError);
}

TEST_CASE("a panoptic sample has segments, objects of things and labels, and classes by ascending id") {
  const PanopticTree tree;
  const auto data = tree.open();
  REQUIRE(data->size() == 2);
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 2);
  CHECK(classes[0].name == "sky");
  CHECK_FALSE(classes[0].thing);
  CHECK(classes[1].name == "car");
  CHECK(classes[1].thing);
  CHECK(classes[1].category_id == 7);

  const auto sample = data->read(0);
  CHECK(sample.id == "p/a");
  CHECK(data->id_of(1) == "b");
  CHECK(sample.image.at<cv::Vec3b>(0, 0) == cv::Vec3b(10, 20, 30));
  REQUIRE(sample.segments.size() == 2);
  CHECK(sample.segments[1].id == 11);
  CHECK(sample.segments[1].category == 1);
  const auto ids = values(sample.segment_ids), labels = values(sample.labels);
  for (const auto& [id, label, count] : {std::tuple(10, 0, 18), {11, 1, 9}, {0, int{kIgnore}, 9}}) {
    CHECK(std::count(ids.begin(), ids.end(), id) == count);
    CHECK(std::count(labels.begin(), labels.end(), label) == count);
  }
  CHECK(labels[4 * 6 + 2] == 1);
  CHECK(labels[4 * 6 + 3] == kIgnore);
  REQUIRE(sample.instances.size() == 1);
  const auto& car = sample.instances[0];
  CHECK(car.id == 11);
  CHECK(car.category == 1);
  CHECK(car.area == 8);  // as stated
  CHECK(car.mask.area() == 9);
  CHECK(car.box == cv::Rect2f(0, 3, 3, 3));  // of the mask
  CHECK_FALSE(car.crowd);
  CHECK(data->classes_of(0) == std::vector<int>{0, 1});
  CHECK(data->extent_of(0) == Extent{1, 6, 6});
}

TEST_CASE("a panoptic dataset gives what the task needs") {
  const PanopticTree tree;
  const auto semantic = tree.open(Task::semantic)->read(0);
  CHECK_FALSE(semantic.labels.empty());
  CHECK(semantic.segments.empty());
  CHECK(semantic.segment_ids.empty());
  CHECK(semantic.instances.empty());
  const auto instance = tree.open(Task::instance)->read(0);
  CHECK(instance.labels.empty());
  CHECK(instance.segments.empty());
  CHECK(instance.segment_ids.empty());
  CHECK(instance.instances.size() == 1);
  for (const auto task : {Task::semantic, Task::instance, Task::panoptic}) {
    const auto data = tree.open(task);
    CHECK(data->classes_of(0) == data->Dataset::classes_of(0));
  }
  CHECK(tree.open(Task::instance)->classes_of(0) == std::vector<int>{1});
}

TEST_CASE("only what is asked for of a panoptic sample is read") {
  const PanopticTree tree;
  const auto data = tree.open();
  test::cut_behind_header(tree.path() / "images/val2017/p/a.jpg");
  CHECK(data->read(0, {.image = false, .labels = true, .objects = true}).segments.size() == 2);
  CHECK_THROWS_AS(data->read(0), DataError);
  test::cut_behind_header(tree.path() / "annotations/panoptic_val2017/b.png");
  CHECK(data->read(1, {.image = true, .labels = false, .objects = false}).labels.empty());
  CHECK(data->classes_of(1) == std::vector<int>{0, 1});
  CHECK_THROWS_AS(data->read(1), DataError);
}

TEST_CASE("crowds are classes in labels, as in panopticapi's converter, and crowds as objects") {
  PanopticTree tree;
  tree.segments(0)[1]["iscrowd"] = 1;
  const auto sample = tree.open()->read(0);
  const auto labels = values(sample.labels);
  CHECK(std::count(labels.begin(), labels.end(), 1) == 9);
  CHECK(sample.instances.at(0).crowd);
  CHECK(sample.segments.at(1).crowd);
  CHECK_FALSE(sample.segments.at(0).crowd);
}

TEST_CASE("folders of a panoptic dataset are those of COCO's archives or detectron2, or named") {
  const PanopticTree tree;
  tree.open();
  const auto at = [&](const char* name) { return (tree.path() / name).string(); };
  fs::rename(at("annotations/panoptic_val2017"), at("panoptic_val2017"));
  fs::rename(at("images/val2017"), at("val2017"));
  CHECK(tree.open()->read(0).segments.size() == 2);
  fs::rename(at("panoptic_val2017"), at("x"));
  tells(tree.problem(),
        "/part/masks: is missing, and there is neither ROOT/annotations/panoptic_val2017 nor "
        "ROOT/panoptic_val2017, which should be the folder of the panoptic PNGs");
  CHECK(tree.open(Task::panoptic, {{"masks", at("x")}})->read(0).segments.size() == 2);
  const json all = {{"root", nullptr},
                    {"annotations", at("annotations/panoptic_val2017.json")},
                    {"masks", at("x")},
                    {"images", at("val2017")}};
  CHECK(tree.open(Task::panoptic, all)->read(0).segments.size() == 2);
  tells(tree.problem({{"root", nullptr}}), "/part/root: is missing: give \"root\", or both");
  tells(tree.problem({{"split", "all"}}), "/part/annotations: is missing, and there is neither ROOT/annotations/");
  tells(tree.problem({{"images", at("x")}, {"masks", at("x")}}),
        "/part/images: ROOT/x has none of the first 2 files that ROOT/annotations/panoptic_val2017.json names, such "
        "as p/a.jpg");
  tells(tree.problem({{"masks", at("val2017")}}), "/part/masks: ROOT/val2017 has none of the first 2 files");
}

TEST_CASE("images without a panoptic annotation are left out with a note, or all are read without") {
  PanopticTree tree;
  tree.file["annotations"].erase(0);
  const auto data = tree.open();
  CHECK(data->size() == 1);
  CHECK(data->id_of(0) == "b");
  const auto notes = dynamic_cast<const Notes&>(*data).notes();
  REQUIRE(notes.size() == 1);
  tells(notes[0], "images without annotation are left out: 1 of 2, such as p/a.jpg");
  tree.file["annotations"] = json::array();
  const auto all = tree.open();
  CHECK(all->size() == 2);
  CHECK(all->read(0).segment_ids.empty());
  CHECK(all->read(0).labels.empty());
  CHECK(all->classes_of(0).empty());
}

TEST_CASE("a photo with segments is turned upright, or read as it is stored, whether its size is stated or not") {
  for (const bool is_stated : {true, false}) {
    PanopticTree tree;
    tree.file["annotations"][0]["segments_info"] = {PanopticTree::segment(10, 2, 18)};
    test::check_orientation(tree.path() / "images/val2017/p/a.jpg", [&](const cv::Size& size, const json& more) {
      tree.image("annotations/panoptic_val2017/p/a.png", colors_of(cv::Mat(size, CV_32S, cv::Scalar(10))));
      tree.file["images"][0].erase("width");
      if (is_stated) tree.file["images"][0].update({{"width", size.width}, {"height", size.height}});
      return tree.open(Task::panoptic, more);
    });
  }
}
