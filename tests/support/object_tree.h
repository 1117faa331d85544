// A small COCO dataset for tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

namespace sectile::test::coco_objects {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr int kTreeWidth = 12, kTreeHeight = 10;

inline json one_ring(json::initializer_list_t numbers) { return json::array({json::array(numbers)}); }
inline json square(double x, double y, double side) {
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

inline bool reports(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}
inline std::vector<std::string> notes_of(const Dataset& data) { return dynamic_cast<const Notes&>(data).notes(); }
inline std::vector<std::string> left_out_of(const Dataset& data) {
  return dynamic_cast<const LeftOut&>(data).left_out();
}
using Lines = std::vector<std::string>;

}  // namespace sectile::test::coco_objects
