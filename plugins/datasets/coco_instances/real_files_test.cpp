// COCO files of others, compared with pycocotools, and the smallest files of each flavor.
#include <cstdlib>
#include <fstream>

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

TEST_CASE("every flavor of COCO's files with boxes or masks is read") {
  const char* folder = std::getenv("SECTILE_DATA");
  if (!folder) {
    MESSAGE("SECTILE_DATA is not set: skipped");
    return;
  }
  const auto root = fs::path(folder) / "format-fixtures/coco_dataset";
  for (const char* name : {"coco", "coco_instances", "mmdet_coco", "coco_roboflow"}) {
    CAPTURE(name);
    const json of = {{"root", (root / name).string()}};
    const auto open = [&](const char* split, Task task) {
      json options = of;
      options["split"] = split;
      return coco_objects(options, task);
    };
    const auto train = open("train", Task::instance)->read(0);
    REQUIRE(train.instances.size() == 1);
    CHECK(train.id == "a");
    CHECK(train.instances[0].mask.empty());  // a box only
    CHECK(train.instances[0].category == 1);
    CHECK(train.instances[0].box == cv::Rect2f(2, 2, 3, 1));
    const auto val = open("val", Task::instance)->read(0);
    REQUIRE(val.instances.size() == 2);
    CHECK(val.instances[0].mask.area() == 2);
    CHECK(val.instances[1].mask.area() == 20);
    CHECK(val.instances[1].crowd);
    const auto labels = open("val", Task::semantic)->read(0).labels;
    CHECK(cv::countNonZero(labels == kIgnore) == 20);  // the object of 2 pixels is in the crowd
    CHECK(cv::countNonZero(labels == 0) == 30);
  }
  for (const std::string of : {"stuff", "person_keypoints"}) {
    CAPTURE(of);
    const auto open = [&](const std::string& split) {
      const auto part = root / ("coco_" + of);
      return coco_objects({{"annotations", (part / "annotations" / (of + "_" + split + ".json")).string()},
                           {"images", (part / "images" / split).string()}},
                          Task::instance);
    };
    CHECK(open("train")->read(0).instances.size() == 1);
    CHECK(open("val")->read(0).instances.back().mask.area() == 20);
    CHECK(open("val")->read(0).instances.back().crowd);
  }
}
