// Pixels of each class in the labels of a sample.
#pragma once

#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace sectile {

struct LabelCounts {
  std::vector<std::int64_t> pixels{};   // per class
  std::vector<std::int64_t> counted{};  // per class: pixels that are not ignored
  std::int64_t values = 0;              // all; of overlapping classes, one per pixel and class
  std::int64_t ignored = 0;
  std::int64_t wrong = 0;  // values that are neither a class nor kIgnore
  double first_wrong = 0;
  std::int64_t where = 0;  // pixel with the first wrong value, counted row by row
};

// labels: class numbers (16S, one channel), or 32F with a channel per class, where a pixel belongs to a class from 0.5
// on. Throws DataError for another type; empty labels have no pixels.
LabelCounts count_labels(const cv::Mat& labels, int classes);

}  // namespace sectile
