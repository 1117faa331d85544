// Two folders of label maps, of a truth and of predictions.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include <sectile/data/class_table.h>
#include <opencv2/core/mat.hpp>

namespace sectile {

struct LabelMapPair {
  std::string name;               // path in both folders, without suffix
  std::string truth, prediction;  // files; text, as a filesystem::path keeps each of its parts too
};

// By name, of all subfolders too. Files beside NAME that `predict` writes with it, such as NAME_overlay.png, are no
// predictions. problems: gets what is missing in a folder; notes: which files are passed over, as no images. Throws
// DataError for a folder without images.
std::vector<LabelMapPair> label_map_pairs(const std::filesystem::path& truth, const std::filesystem::path& predictions,
                                          std::vector<std::string>& problems, std::vector<std::string>& notes);

// What the values of label maps mean.
class LabelValues {
 public:
  // ignore: values of the truth; the classes are those of the table.
  LabelValues(const ClassTable& table, const std::vector<int>& ignore);

  struct Maps {
    cv::Mat truth, prediction;          // 16S: class numbers, and kIgnore in both where the truth does not count
    std::vector<std::string> turned{};  // files that state an orientation, and are upright here
  };
  // Throws DataError for files that cannot be read, have colors, differ in size, or have values of no class.
  Maps read(const LabelMapPair& pair) const;

 private:
  cv::Mat numbers(const std::filesystem::path& file) const;  // kNobody for values of no class
  void refuse_unknown(const std::filesystem::path& file, const cv::Mat& numbers, bool is_truth) const;

  std::vector<std::int16_t> by_value_;  // 65536
  std::string known_;                   // for messages
};

}  // namespace sectile
