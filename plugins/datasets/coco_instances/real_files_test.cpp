// COCO files of others, compared with pycocotools, and the smallest files of each flavor.
#include <cstdlib>
#include <fstream>
#include <numeric>

#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/test.h"

namespace fs = std::filesystem;
using nlohmann::json;
using namespace sectile;

namespace {

std::shared_ptr<Dataset> coco_objects(json options, Task task) {
  options["type"] = "coco_instances";
  BuildContext context;
  context.task = task;
  return test::make<Dataset>(options.dump(), context);
}

constexpr Parts kTruth = {.image = false, .labels = true, .objects = true};

}  // namespace

TEST_CASE("real COCO files have the objects and masks of pycocotools, and torchvision's labels") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder) {
    MESSAGE("SECTILE_DATA is not set: skipped");
    return;
  }
  std::ifstream in(SECTILE_SOURCE_DIR "/plugins/datasets/coco_instances/expected.json");
  const auto expected = json::parse(in);
  const fs::path root = folder;
  const auto at = [&](const char* annotations, const char* images) {
    return json{{"annotations", (root / annotations).string()}, {"images", (root / images).string()}};
  };
  struct File {
    const char* name;
    json options;
    int objects;
  };
  const auto nuclei = [&](const char* split) {
    return json{{"root", (root / "nuclei-coco").string()}, {"split", split}};
  };
  const std::vector<File> files = {
      {"coco128", at("coco128/annotations/instances_train2017.json", "coco128/train2017"), 929},
      {"nuclei_train", nuclei("train"), 7123},
      {"nuclei_val", nuclei("val"), 1863},
      {"nuts", at("nuts-coco/trainval.json", "nuts-coco/images"), 165}};
  for (const auto& file : files) {
    CAPTURE(file.name);
    const auto& wanted = expected[file.name];
    const auto& options = file.options;
    const auto data = coco_objects(options, Task::instance);
    REQUIRE(data->size() == wanted["images"]);
    std::vector<int> objects(data->labels().classes.size());
    std::map<std::int64_t, std::int64_t> areas;
    std::int64_t area = 0;
    for (std::size_t i = 0; i < data->size(); ++i)
      for (const auto& one : data->read(i, kTruth).instances) {
        ++objects[static_cast<std::size_t>(one.category)];
        area += areas[one.id] = one.mask.area();
        CHECK(one.area.has_value());
      }
    CHECK(static_cast<int>(areas.size()) == file.objects);
    CHECK(json(objects) == wanted["objects"]);
    CHECK(area == wanted["area"]);
    for (const auto& first : wanted["first_areas"]) CHECK(areas[first[0].get<std::int64_t>()] == first[1]);
    json without = options;
    without["keep_empty"] = false;
    CHECK(coco_objects(without, Task::instance)->size() + wanted["empty"].get<std::size_t>() == data->size());

    const auto semantic = coco_objects(options, Task::semantic);
    std::vector<std::int64_t> pixels(semantic->labels().classes.size());
    std::int64_t ignored = 0;
    for (std::size_t i = 0; i < semantic->size(); ++i) {
      const auto labels = semantic->read(i, kTruth).labels;
      for (auto it = labels.begin<std::int16_t>(); it != labels.end<std::int16_t>(); ++it)
        ++(*it == kIgnore ? ignored : pixels[static_cast<std::size_t>(*it)]);
    }
    CHECK(json(pixels) == wanted["pixels"]);
    CHECK(ignored == wanted["ignored"]);
    CHECK_FALSE(data->read(data->size() - 1).image.empty());
  }
}

TEST_CASE("every flavor of COCO's files with boxes or masks is read, and what has neither is refused") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder) {
    MESSAGE("SECTILE_DATA is not set: skipped");
    return;
  }
  const auto root = fs::path(folder) / "format-fixtures/coco_dataset";
  const auto in_tree = [&](const std::string& name, const std::string& split) {
    return json{{"root", (root / name).string()}, {"split", split}};
  };
  const auto named = [&](const std::string& name, const std::string& kind, const std::string& split) {
    return json{{"annotations", (root / name / "annotations" / (kind + "_" + split + ".json")).string()},
                {"images", (root / name / "images" / split).string()}};
  };
  // By hand: a box of three pixels without a mask in an image of 10 x 5, and a polygon of two pixels within a crowd of
  // the 20 of the first two columns in one of 5 x 10.
  const auto check_objects = [](const json& train, const json& val) {
    const auto train_data = coco_objects(train, Task::instance), val_data = coco_objects(val, Task::instance);
    REQUIRE(train_data->size() == 1);
    REQUIRE(val_data->size() == 1);
    const auto first = train_data->read(0), second = val_data->read(0);
    CHECK(first.id == "a");
    CHECK(second.id == "b");
    CHECK(first.image.size() == cv::Size(10, 5));
    CHECK(second.image.size() == cv::Size(5, 10));
    REQUIRE(first.instances.size() == 1);
    REQUIRE(second.instances.size() == 2);
    CHECK(first.instances[0].mask.empty());
    CHECK(first.instances[0].category == 1);
    CHECK(first.instances[0].box == cv::Rect2f(2, 2, 3, 1));
    CHECK(second.instances[0].mask.area() == 2);
    CHECK(second.instances[0].category == 0);
    CHECK_FALSE(second.instances[0].crowd);
    CHECK(second.instances[1].mask.area() == 20);
    CHECK(second.instances[1].category == 1);
    CHECK(second.instances[1].crowd);
  };
  using Pixels = std::vector<int>;  // of background, a and b, and ignored ones
  const auto pixels = [](json options, const char* overlap = "ignore") {
    options["overlap"] = overlap;
    const auto data = coco_objects(options, Task::semantic);
    REQUIRE(data->size() == 1);
    const auto labels = data->read(0, kTruth).labels;
    Pixels counts;
    for (const int label : {0, 1, 2, int{kIgnore}}) counts.push_back(cv::countNonZero(labels == label));
    CHECK(std::accumulate(counts.begin(), counts.end(), 0) == 50);
    return counts;
  };
  for (const char* name : {"coco", "coco_instances", "mmdet_coco", "coco_roboflow"}) {
    CAPTURE(name);
    const auto train = in_tree(name, "train"), val = in_tree(name, "val");
    check_objects(train, val);
    CHECK(coco_objects(train, Task::instance)->labels().classes.size() == 3);  // "c", which has no object
    CHECK(pixels(train) == Pixels{47, 0, 0, 3});
    CHECK(pixels(val) == Pixels{30, 0, 0, 20});
    CHECK(pixels(val, "smallest") == Pixels{30, 2, 0, 18});
  }
  for (const char* name : {"coco", "coco_person_keypoints"}) {
    CAPTURE(name);
    const auto train = named(name, "person_keypoints", "train"), val = named(name, "person_keypoints", "val");
    check_objects(train, val);
    CHECK(pixels(train) == Pixels{47, 0, 0, 3});
    CHECK(pixels(val, "last") == Pixels{30, 2, 0, 18});
  }
  // Stuff is all crowds: 20 pixels each, which do not count in labels.
  for (const char* name : {"coco", "coco_stuff"})
    for (const auto& [split, category] : {std::pair("train", 0), {"val", 1}}) {
      CAPTURE(name);
      CAPTURE(split);
      const auto stuff = named(name, "stuff", split);
      const auto objects = coco_objects(stuff, Task::instance)->read(0, kTruth).instances;
      REQUIRE(objects.size() == 1);
      CHECK(objects[0].category == category);
      CHECK(objects[0].crowd);
      CHECK(objects[0].mask.area() == 20);
      CHECK(objects[0].mask.box() == (category == 0 ? cv::Rect2f(2, 0, 5, 5) : cv::Rect2f(0, 0, 2, 10)));
      for (const char* overlap : {"ignore", "smallest", "last"}) CHECK(pixels(stuff, overlap) == Pixels{30, 0, 0, 20});
    }

  for (const std::string of : {"coco", "coco_labels"})
    CHECK_THROWS_WITH_AS(coco_objects(named(of, "labels", "val"), Task::instance)->read(0),
                         doctest::Contains("annotation 1 of b.jpg: has neither bbox nor segmentation"), DataError);
  for (const std::string kind : {"captions", "image_info"}) {
    CHECK_THROWS_WITH_AS(coco_objects(named("coco_" + kind, kind, "train"), Task::instance),
                         doctest::Contains("has 0 categories; 1 to 32766 are possible"), DataError);
    CHECK_THROWS_WITH_AS(coco_objects(in_tree("coco_" + kind, "train"), Task::instance),
                         doctest::Contains((kind + "_train.json, " + kind + "_val.json").c_str()), SpecError);
  }
}
