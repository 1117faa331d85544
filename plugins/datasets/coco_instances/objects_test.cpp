// What the annotations of an image become: objects with masks and boxes, and labels.
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/object_tree.h"
#include "support/test.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;
using namespace sectile::test::coco_objects;

// https://github.com/open-mmlab/mmdetection/pull/9274: both forms of run lengths, whatever iscrowd says.
TEST_CASE("masks are polygons, whose parts are united, or plain or compressed run lengths down the columns") {
  ObjectTree tree;
  const json plain = {{"size", {10, 12}}, {"counts", {0, 1, 10, 3, 106}}};
  const json nested = {{1, 1, 11, 1, 11, 9, 1, 9}, {4, 4, 8, 4, 8, 8, 4, 8}};  // no hole: roboflow/supervision#1163
  const cv::Mat dot = [] {
    cv::Mat bits(kTreeHeight, kTreeWidth, CV_8U, cv::Scalar(0));
    bits.at<std::uint8_t>(2, 5) = 1;
    return bits;
  }();
  tree.add(1, 3, 7, plain);
  tree.add(2, 3, 7, nested);
  tree.add(3, 3, 7, {{"size", {10, 12}}, {"counts", to_coco(rle_of(dot))}});
  tree.add(4, 3, 7, square(0, 0, 9));  // cocodataset/cocoapi#659: coordinates are edges of pixels
  tree.add(5, 3, 7, square(-5, -4, 9));
  tree.add(6, 3, 7, nested, {4, 4, 2.5, 3});
  const auto found = tree.open()->read(0).instances;
  REQUIRE(found.size() == 6);
  const auto bits = found[0].mask.bitmap();
  CHECK(cv::countNonZero(bits) == 4);
  CHECK(bits.at<std::uint8_t>(0, 0) == 1);
  CHECK(cv::countNonZero(bits(cv::Rect(1, 1, 1, 3))) == 3);
  CHECK(found[0].box == cv::Rect2f(0, 0, 2, 4));  // of the mask, where no bbox is stated
  CHECK(found[1].mask.area() == 80);
  CHECK(found[2].mask.area() == 1);
  CHECK(found[2].box == cv::Rect2f(5, 2, 1, 1));
  CHECK(found[3].mask.area() == 81);
  CHECK(found[4].mask.area() == 20);                 // 4 x 5 are inside the image
  CHECK(found[5].box == cv::Rect2f(4, 4, 2.5f, 3));  // as stated
}

// https://github.com/cocodataset/cocoapi/issues/369
TEST_CASE("rings of one or two corners have no pixels, the others of the object count, and a note tells") {
  ObjectTree tree;
  tree.add(1, 3, 7, {{1, 1, 6, 1, 6, 6, 1, 6}, {8, 8, 9, 9}});
  tree.add(2, 3, 7, one_ring({2, 2, 6, 5}), {2, 2, 4, 3});
  tree.add(3, 3, 7, one_ring({3, 3, 3, 3, 3, 3}), {2, 2, 4, 3});
  tree.add(4, 3, 7, json::array(), {2, 2, 4, 3});
  tree.add(5, 3, 7, json::array({json::array()}), {2, 2, 4, 3});
  tree.add(6, 3, 7, nullptr, {2, 2, 4, 3});
  const auto data = tree.open();
  const auto found = data->read(0).instances;
  REQUIRE(found.size() == 6);
  CHECK(found[0].mask.area() == 25);
  CHECK(found[1].mask.area() == 0);  // never x, y, width, height
  CHECK_FALSE(found[1].mask.empty());
  CHECK(found[2].mask.area() == 0);
  for (const std::size_t i : {3, 4, 5}) CHECK(found[i].mask.empty());  // a box only
  REQUIRE(left_out_of(*data).size() == 1);
  reports(left_out_of(*data)[0], "polygons of fewer than three corners have no pixels: 2, such as annotation 1");
  tree.add(7, 3, 7, one_ring({2, 2, 6, 5, 3}));
  reports(tree.problem(), "instances_val.json: annotation 7 of a/b/3.png: polygon 0 of the mask: has 5 numbers");
}

TEST_CASE("labels of a huge size that is stated wrongly are refused before they are made") {
  ObjectTree tree;
  tree.file["images"][0].update({{"width", 60000}, {"height", 60000}});
  tree.add(1, 3, 7, square(1, 1, 3));
  const auto data = tree.open(Task::semantic);
  CHECK_THROWS_WITH_AS(data->read(0, {.image = false, .labels = true, .objects = false}),
                       doctest::Contains("is 12 x 10 pixels, and "), DataError);
}

// https://github.com/pytorch/vision/pull/2258: x2 > x1 and y2 > y1 after float32 and within the image.
TEST_CASE("objects whose box has no width or height are left out with a note, or kept") {
  ObjectTree tree;
  tree.file["images"][0].update({{"width", 4000}, {"height", 500}});
  tree.image("a/b/3.png", cv::Mat(500, 4000, CV_8U, 0.0));
  const json boxes = {{10.0, 10.0, 0.4, 3.0},    {5.0, 5.0, 0.0, 7.0},       {20.0, 5.0, -3.0, 4.0},
                      {3000.0, 10.0, 1e-4, 5.0}, {3000.0, 10.0, 0.001, 5.0}, {368.0, 413.0, 0.0, 4.0},
                      {4100.0, 10.0, 5.0, 5.0},  {-5.0, 10.0, 4.0, 5.0}};
  for (int i = 0; i < 8; ++i) tree.add(i, 3, 7, nullptr, boxes[static_cast<std::size_t>(i)]);
  const auto data = tree.open();
  const auto found = data->read(0).instances;
  REQUIRE(found.size() == 2);
  CHECK(found[0].id == 0);
  CHECK(found[1].id == 4);
  CHECK(notes_of(*data).empty());
  REQUIRE(left_out_of(*data).size() == 1);
  reports(left_out_of(*data)[0],
          "objects whose box has no width or height within the image are left out: 6, such as annotation 1");
  tree.add(8, 3, 7, one_ring({2, 2, 6, 5}));  // no box, and no pixel
  CHECK(tree.open()->read(0).instances.size() == 2);
  const auto all = tree.open(Task::instance, {{"keep_degenerate", true}});
  CHECK(all->read(0).instances.size() == 9);
  reports(notes_of(*all).at(0), "are kept: 6");
}

TEST_CASE("labels are made of masks whatever boxes say, and an image of boxes without width has no object") {
  ObjectTree tree;
  tree.add(1, 3, 7, square(1, 1, 3), {5, 5, 0, 7});
  tree.add(2, 1, 7, square(1, 1, 3), {1, 1, 3, 3});
  const auto labels = tree.open(Task::semantic)->read(0).labels;
  CHECK(cv::countNonZero(labels == 2) == 9);
  CHECK(cv::countNonZero(labels == 0) == kTreeWidth * kTreeHeight - 9);
  const auto objects = tree.open(Task::instance, {{"keep_empty", false}});
  REQUIRE(objects->size() == 1);
  CHECK(objects->id_of(0) == "1");
  CHECK(tree.open(Task::instance, {{"keep_empty", false}, {"keep_degenerate", true}})->size() == 2);
  CHECK(tree.open(Task::semantic, {{"keep_empty", false}})->size() == 2);
}

TEST_CASE("labels are made of objects: background, and ignored where several objects or a crowd are") {
  ObjectTree tree;
  tree.file["images"][0].update({{"width", 6}, {"height", 4}});
  tree.image("a/b/3.png", cv::Mat(4, 6, CV_8U, 0.0));
  tree.add(1, 3, 0, square(0, 0, 3));                      // 9 pixels of cat
  tree.add(2, 3, 90, one_ring({2, 1, 6, 1, 6, 3, 2, 3}));  // 8 of car
  tree.add(3, 3, 7, one_ring({2, 2, 3, 2, 3, 3, 2, 3}));   // 1 of dog
  tree.add(4, 3, 7, square(0, 3, 1))["iscrowd"] = 1;
  tree.add(5, 3, 7, json::array(), {5, 2, 1, 2});  // a box only
  CHECK(tree.labels() == Lines{"111000", "11.333", "11.33.", ".0000."});
  CHECK(tree.labels({{"overlap", "smallest"}}) == Lines{"111000", "113333", "112333", ".0000."});
  CHECK(tree.labels({{"overlap", "last"}}) == Lines{"111000", "113333", "112333", ".0000."});
  std::swap(tree.file["annotations"][0], tree.file["annotations"][1]);
  CHECK(tree.labels({{"overlap", "smallest"}}) == Lines{"111000", "113333", "112333", ".0000."});
  CHECK(tree.labels({{"overlap", "last"}}) == Lines{"111000", "111333", "112333", ".0000."});
  CHECK(tree.labels({{"background", false}}) == Lines{"000...", "00.222", "00.22.", "......"});
  CHECK(tree.labels({{"categories", {"dog"}}}) == Lines{"000000", "000000", "00100.", ".0000."});

  const auto data = tree.open(Task::semantic);
  const auto& classes = data->labels().classes;
  REQUIRE(classes.size() == 4);
  CHECK(classes[0].name == "background");
  CHECK_FALSE(classes[0].thing);
  CHECK(classes[1].name == "cat");
  CHECK(data->read(0).instances.empty());
  CHECK(data->classes_of(0) == std::vector<int>{0, 1, 3});
  CHECK(tree.open()->labels().classes.size() == 3);  // objects need no background

  tree.file["categories"][2]["name"] = "background";  // of the id 7, which is class 1
  CHECK(tree.open(Task::semantic)->labels().classes.size() == 3);
  CHECK_FALSE(tree.open(Task::semantic)->labels().classes[1].thing);
  CHECK(tree.labels()[0] == "000111");
}
