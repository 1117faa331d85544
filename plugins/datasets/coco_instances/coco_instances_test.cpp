// Of files made here; files of others are in real_files_test.cpp.
#include <sectile/data/image_io.h>
#include <sectile/data/rle.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/damaged.h"
#include "support/scratch.h"
#include "support/test.h"
#include "support/turned_photo.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;

namespace {

constexpr int kTreeWidth = 12, kTreeHeight = 10;

json one_ring(json::initializer_list_t numbers) { return json::array({json::array(numbers)}); }
json square(double x, double y, double side) {
  return json::array({json::array({x, y, x + side, y, x + side, y + side, x, y + side})});
}

// A COCO dataset of images of 12 x 10 pixels, with the categories 90 "car", 0 "cat" and 7 "dog".
class ObjectTree {
 public:
  ObjectTree() {
    file = {
        {"images", json::array()},
        {"annotations", json::array()},
        {"categories", {{{"id", 90}, {"name", "car"}}, {{"id", 0}, {"name", "cat"}}, {{"id", 7}, {"name", "dog"}}}}};
    add_image(3, "a/b/3.png");
    add_image(1, "1.png");
  }
  void add_image(int id, const std::string& name) {
    file["images"].push_back({{"id", id}, {"file_name", name}, {"width", kTreeWidth}, {"height", kTreeHeight}});
    image(name, cv::Mat(kTreeHeight, kTreeWidth, CV_8UC3, cv::Scalar(10, 20, 30)));
  }
  void image(const std::string& name, const cv::Mat& pixels) const {
    const auto target = path() / "images/val" / name;
    fs::create_directories(target.parent_path());
    write_png(target, pixels);
  }
  json& add(int id, int image_id, int category_id, const json& segmentation, const json& box = nullptr) {
    json made = {{"id", id}, {"image_id", image_id}, {"category_id", category_id}, {"segmentation", segmentation}};
    if (!box.is_null()) made["bbox"] = box;
    file["annotations"].push_back(made);
    return file["annotations"].back();
  }
  fs::path path() const { return scratch_.path(); }
  std::shared_ptr<Dataset> open(Task task = Task::instance, const json& more = json::object()) const {
    scratch_.write("annotations/instances_val.json", text.empty() ? file.dump() : text);
    json spec = {{"type", "coco_instances"}, {"root", path().string()}, {"split", "val"}};
    spec.merge_patch(more);  // null removes
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
  }
  // The error of opening, or of reading all samples.
  std::string problem(const json& more = json::object(), Task task = Task::instance) const {
    try {
      const auto data = open(task, more);
      for (std::size_t i = 0; i < data->size(); ++i) data->read(i);
    } catch (const std::runtime_error& error) {
      return test::replaced(error.what(), path().string(), "ROOT");
    }
    return "no error";
  }
  // Labels of the only image with objects, one line per row: "." ignored.
  std::vector<std::string> labels(const json& more = json::object()) const {
    const auto map = open(Task::semantic, more)->read(0).labels;
    std::vector<std::string> rows;
    for (int y = 0; y < map.rows; ++y) {
      auto& row = rows.emplace_back();
      for (int x = 0; x < map.cols; ++x) {
        const auto label = map.at<std::int16_t>(y, x);
        row += label == kIgnore ? '.' : static_cast<char>('0' + label);
      }
    }
    return rows;
  }
  json file;
  std::string text;  // instead of it

 private:
  test::Scratch scratch_;
};

bool reports(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}
std::vector<std::string> notes_of(const Dataset& data) { return dynamic_cast<const Notes&>(data).notes(); }
std::vector<std::string> left_out_of(const Dataset& data) { return dynamic_cast<const LeftOut&>(data).left_out(); }
using Lines = std::vector<std::string>;

}  // namespace

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
