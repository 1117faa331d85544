#include "label_counts.h"

#include <string>

#include <opencv2/core.hpp>

#include <sectile/error.h>
#include <sectile/sample.h>

#include "rows.h"

namespace sectile {
namespace {

constexpr float kInside = 0.5f;  // from here on a pixel belongs to an overlapping class

void add_wrong(LabelCounts& counts, double value, std::int64_t pixel) {
  if (counts.wrong++ > 0) return;
  counts.first_wrong = value;
  counts.where = pixel;
}

void count_numbers(const cv::Mat& labels, LabelCounts& counts) {
  const auto classes = static_cast<int>(counts.pixels.size());
  each_row<std::int16_t>(labels, [&](const std::int16_t* row, std::size_t count) {
    for (std::size_t x = 0; x < count; ++x)
      if (row[x] >= 0 && row[x] < classes)
        ++counts.pixels[static_cast<std::size_t>(row[x])];
      else if (row[x] == kIgnore)
        ++counts.ignored;
      else
        add_wrong(counts, row[x], counts.values + static_cast<std::int64_t>(x));
    counts.values += static_cast<std::int64_t>(count);
  });
  counts.counted.assign(counts.pixels.size(), counts.values - counts.ignored - counts.wrong);
}

void count_overlapping(const cv::Mat& labels, LabelCounts& counts) {
  const auto classes = counts.pixels.size();
  counts.counted.assign(classes, 0);
  each_row<float>(labels, [&](const float* row, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
      const auto number = i % classes;
      if (row[i] >= 0 && row[i] <= 1) {
        ++counts.counted[number];
        counts.pixels[number] += row[i] >= kInside;
      } else if (row[i] == static_cast<float>(kIgnore)) {
        ++counts.ignored;
      } else {
        add_wrong(counts, row[i], (counts.values + static_cast<std::int64_t>(i)) / static_cast<std::int64_t>(classes));
      }
    }
    counts.values += static_cast<std::int64_t>(count);
  });
}

}  // namespace

LabelCounts count_labels(const cv::Mat& labels, int classes) {
  LabelCounts counts;
  counts.pixels.assign(static_cast<std::size_t>(classes), 0);
  counts.counted = counts.pixels;
  if (labels.empty()) return counts;
  if (labels.type() == CV_16SC1)
    count_numbers(labels, counts);
  else if (classes > 0 && labels.depth() == CV_32F && labels.channels() == classes)
    count_overlapping(labels, counts);
  else
    throw DataError("labels", "are of " + cv::typeToString(labels.type()) +
                                  ": expected class numbers of CV_16SC1, or CV_32F with one channel for each of the " +
                                  std::to_string(classes) + " classes");
  return counts;
}

}  // namespace sectile
