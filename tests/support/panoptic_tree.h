// A small panoptic dataset for tests.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"
#include "support/scratch.h"
#include "support/test.h"

namespace sectile::test::coco_segments {

namespace fs = std::filesystem;
using nlohmann::json;

inline cv::Mat colors_of(const cv::Mat& ids) {
  cv::Mat rgb(ids.size(), CV_8UC3);
  for (int y = 0; y < ids.rows; ++y)
    for (int x = 0; x < ids.cols; ++x) {
      const int id = ids.at<int>(y, x);
      rgb.at<cv::Vec3b>(y, x) = {std::uint8_t(id % 256), std::uint8_t(id / 256 % 256), std::uint8_t(id / 65536)};
    }
  return rgb;
}

// A panoptic dataset with the images p/a and b of 6 x 6 pixels: 18 of segment 10, 9 of 11, and 9 of void.
class PanopticTree {
 public:
  PanopticTree() {
    cv::Mat ids(6, 6, CV_32S, cv::Scalar(0));
    ids.rowRange(0, 3) = 10;
    ids(cv::Rect(0, 3, 3, 3)) = 11;
    file = {{"categories", {category(7, "car", 1), category(2, "sky", 0)}}};
    for (const auto& [id, name] : {std::pair(31, "p/a"), std::pair(4, "b")}) {
      image("images/val2017/" + std::string(name) + ".jpg", cv::Mat(6, 6, CV_8UC3, cv::Scalar(10, 20, 30)));
      image("annotations/panoptic_val2017/" + std::string(name) + ".png", colors_of(ids));
      file["images"].push_back(
          {{"id", id}, {"width", 6}, {"height", 6}, {"file_name", std::string(name) + ".jpg"}, {"license", nullptr}});
      file["annotations"].push_back({{"image_id", id},
                                     {"file_name", std::string(name) + ".png"},
                                     {"segments_info", {segment(10, 2, 18), segment(11, 7, 8)}}});
    }
  }
  static json category(int id, const char* name, int thing) {
    return {{"id", id}, {"name", name}, {"isthing", thing}, {"supercategory", "x"}};
  }
  static json segment(int id, int category_id, int area) {
    return {{"id", id}, {"category_id", category_id}, {"area", area}, {"iscrowd", 0}, {"bbox", {0, 0, 1, 1}}};
  }
  json& segments(std::size_t annotation) { return file["annotations"][annotation]["segments_info"]; }
  void image(const std::string& name, const cv::Mat& pixels) const {
    fs::create_directories((path() / name).parent_path());
    write_png(path() / name, pixels);
  }
  fs::path path() const { return scratch_.path(); }
  std::shared_ptr<Dataset> open(Task task = Task::panoptic, const json& more = json::object()) const {
    scratch_.write("annotations/panoptic_val2017.json", text.empty() ? file.dump(1) : text);
    json spec = {{"type", "coco_panoptic"}, {"root", path().string()}, {"split", "val2017"}};
    spec.merge_patch(more);  // null removes
    BuildContext context;
    context.task = task;
    return test::make<Dataset>(spec.dump(), context);
  }
  // The error of opening, or of reading the first sample.
  std::string problem(const json& more = json::object()) const {
    try {
      open(Task::panoptic, more)->read(0);
    } catch (const std::runtime_error& error) {
      return test::replaced(error.what(), path().string(), "ROOT");
    }
    return "no error";
  }
  json file;
  std::string text;  // instead of it

 private:
  test::Scratch scratch_;
};

inline std::vector<int> values(const cv::Mat& map) {
  cv::Mat wide;
  map.convertTo(wide, CV_32S);
  return {wide.begin<int>(), wide.end<int>()};
}
inline bool tells(const std::string& text, const std::string& part) {
  CAPTURE(text);
  CHECK(text.find(part) != std::string::npos);
  return text.find(part) != std::string::npos;
}

}  // namespace sectile::test::coco_segments
