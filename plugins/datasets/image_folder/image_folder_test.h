// A folder of images and masks, opened as a dataset, for the tests.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include <sectile/data/image_io.h>
#include <sectile/dataset.h>
#include <sectile/notes.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/component.h"

namespace sectile::image_folder_tests {

namespace fs = std::filesystem;
using nlohmann::json;

// A dataset in a folder that is gone after the test.
class Folder {
 public:
  Folder() : path_(fs::temp_directory_path() / ("sectile_image_folder_" + std::to_string(getpid()))) {
    fs::remove_all(path_);
    fs::create_directories(path_);
  }
  ~Folder() { fs::remove_all(path_); }
  const fs::path& path() const { return path_; }

  void image(const std::string& name, const cv::Mat& pixels, const sectile::Palette& palette = {}) const {
    fs::create_directories((path_ / name).parent_path());
    sectile::write_png(path_ / name, pixels, palette);
  }
  void pair(const std::string& name, const cv::Mat& mask) const {
    image("images/" + name + ".png", cv::Mat(mask.rows, mask.cols, CV_8UC3, cv::Scalar(10, 20, 30)));
    image("masks/" + name + ".png", mask);
  }
  void text(const std::string& name, const std::string& content) const { std::ofstream(path_ / name) << content; }

  json spec(const json& more = json::object()) const {
    json spec = {{"type", "image_folder"},
                 {"root", path_.string()},
                 {"masks", "masks"},
                 {"classes", {{{"name", "ground"}}, {{"name", "cat"}}}}};
    spec.merge_patch(more);
    return spec;
  }

 private:
  fs::path path_;
};

inline std::shared_ptr<Dataset> open(const json& spec) { return sectile::test::make<Dataset>(spec.dump()); }

using Names = std::vector<std::string>;
inline Names ids(const json& spec) {
  const auto dataset = open(spec);
  Names all;
  for (std::size_t i = 0; i < dataset->size(); ++i) all.push_back(dataset->id_of(i));
  return all;
}
inline Names notes(const json& spec) { return dynamic_cast<const sectile::Notes&>(*open(spec)).notes(); }
inline std::string problem(const json& spec, bool and_read = false) {
  try {
    const auto dataset = open(spec);
    if (and_read) dataset->read(0);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}
inline bool has(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

inline cv::Mat mask(std::initializer_list<int> values, int type = CV_8U) {  // two rows
  cv::Mat made(2, static_cast<int>(values.size()) / 2, type);
  std::size_t i = 0;
  for (const int value : values) {
    if (type == CV_8U)
      made.data[i] = static_cast<std::uint8_t>(value);
    else
      made.ptr<std::uint16_t>()[i] = static_cast<std::uint16_t>(value);
    ++i;
  }
  return made;
}
inline std::vector<int> labels(const sectile::Sample& sample) {
  return {sample.labels.begin<std::int16_t>(), sample.labels.end<std::int16_t>()};
}

}  // namespace sectile::image_folder_tests
