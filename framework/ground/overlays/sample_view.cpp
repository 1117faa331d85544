#include "sample_view.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <opencv2/core.hpp>

#include "overlay.h"

namespace sectile {
namespace {

constexpr int kGap = 4;            // white columns between the parts
constexpr int kMostChannels = 16;  // of a target: the others are not shown

cv::Mat middle_slice(const cv::Mat& map) {
  if (map.dims != 3) return map;
  const cv::Mat whole = map.isContinuous() ? map : map.clone();
  cv::Mat slice(map.size[1], map.size[2], map.type());
  std::copy_n(whole.ptr(map.size[0] / 2), slice.total() * slice.elemSize(), slice.ptr());
  return slice;
}

// 16S: of labels per class, the class with the largest share.
cv::Mat class_numbers(const cv::Mat& labels) {
  if (labels.depth() != CV_32F) return labels;
  cv::Mat numbers(labels.size(), CV_16S, cv::Scalar(kIgnore));
  const auto classes = static_cast<std::size_t>(labels.channels());
  for (int y = 0; y < labels.rows; ++y) {
    const auto* shares = labels.ptr<float>(y);
    auto* number = numbers.ptr<std::int16_t>(y);
    for (int x = 0; x < labels.cols; ++x, shares += classes) {
      const auto* most = std::max_element(shares, shares + classes);
      if (*most > 0) number[x] = static_cast<std::int16_t>(most - shares);
    }
  }
  return numbers;
}

void add_channels(const cv::Mat& target, std::vector<cv::Mat>& shown) {
  for (int i = 0; i < std::min(target.channels(), kMostChannels); ++i) {
    cv::Mat channel;
    cv::extractChannel(target, channel, i);
    shown.push_back(shown_as_rgb(channel));
  }
}

}  // namespace

cv::Mat sample_view(const Sample& sample, const LabelMap& classes, bool objects_first) {
  const cv::Mat image = middle_slice(sample.image);
  const bool objects = !sample.instances.empty() && sample.image.dims == 2 && (objects_first || sample.labels.empty());
  std::vector<cv::Mat> shown{shown_as_rgb(image)};
  if (objects)
    shown.push_back(overlay(image, sample.instances, classes, Scores::hidden));
  else if (!sample.labels.empty())
    shown.push_back(overlay(image, class_numbers(middle_slice(sample.labels)), classes));
  for (const auto& [name, target] : sample.targets) add_channels(middle_slice(target), shown);
  int width = 0;
  for (const auto& part : shown) width += part.cols + kGap;
  cv::Mat view(image.rows, width - kGap, CV_8UC3, cv::Scalar::all(255));
  int x = 0;
  for (const auto& part : shown) {
    part.copyTo(view(cv::Rect(x, 0, part.cols, part.rows)));
    x += part.cols + kGap;
  }
  return view;
}

}  // namespace sectile
