#include "measured.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace normalize {
namespace {

constexpr double kLeastDeviation = 1e-8;  // as in nnU-Net: less is rounding

double usable(double deviation) { return deviation > kLeastDeviation ? deviation : 1; }

// Finds values by their rank, from 0, as if all were sorted.
class Ranks {
 public:
  explicit Ranks(const cv::Mat& values) : count_(values.total()) {
    const cv::Mat whole = values.isContinuous() ? values : values.clone();
    if (values.depth() == CV_8U)
      count<std::uint8_t>(whole);
    else if (values.depth() == CV_16U)
      count<std::uint16_t>(whole);
    else if (values.depth() == CV_16S)
      count<std::int16_t>(whole);
    else
      floats_.assign(whole.ptr<float>(), whole.ptr<float>() + count_);
  }

  double percentile(double percent) {
    const double rank = percent / 100 * static_cast<double>(count_ - 1);
    const auto before = static_cast<std::size_t>(rank);
    const auto [value, next] = counts_.empty() ? among_floats(before) : among_counts(before);
    return value + (next - value) * (rank - static_cast<double>(before));
  }

 private:
  template <class T>
  void count(const cv::Mat& values) {
    least_ = std::numeric_limits<T>::min();
    counts_.resize(static_cast<std::size_t>(std::numeric_limits<T>::max() - least_ + 1));
    const T* first = values.ptr<T>();
    for (std::size_t i = 0; i < count_; ++i) ++counts_[static_cast<std::size_t>(first[i] - least_)];
  }

  // The value of this rank and of the next, or the last one twice.
  std::array<double, 2> among_floats(std::size_t rank) {
    const auto at = floats_.begin() + static_cast<std::ptrdiff_t>(rank);
    std::nth_element(floats_.begin(), at, floats_.end());
    return {*at, at + 1 == floats_.end() ? *at : *std::min_element(at + 1, floats_.end())};
  }
  std::array<double, 2> among_counts(std::size_t rank) const {
    std::size_t level = 0, passed = counts_[0];  // values up to this level
    while (passed <= rank) passed += counts_[++level];
    std::size_t next = level;
    if (passed == rank + 1 && passed < count_) do
        ++next;
      while (counts_[next] == 0);
    return {static_cast<double>(level) + least_, static_cast<double>(next) + least_};
  }

  std::size_t count_;
  int least_ = 0;
  std::vector<std::size_t> counts_;  // of integers, from least_
  std::vector<float> floats_;
};

}  // namespace

Scale standard_scale(const cv::Mat& values) {
  cv::Scalar mean, deviation;
  cv::meanStdDev(values, mean, deviation);
  return {mean[0], usable(deviation[0])};
}

Scale min_max_scale(const cv::Mat& values) {
  double least = 0, most = 0;
  cv::minMaxIdx(values, &least, &most);
  return {least, usable(most - least)};
}

std::array<double, 2> percentiles(const cv::Mat& values, double lower, double upper) {
  Ranks ranks(values);
  return {ranks.percentile(lower), ranks.percentile(upper)};
}

cv::Mat clipped(const cv::Mat& image, double least, double most) {
  if (image.depth() != CV_32F) least = std::round(least), most = std::round(most);
  cv::Mat made;
  cv::max(image.reshape(1), least, made);
  cv::min(made, most, made);
  return made.reshape(image.channels());
}

std::vector<cv::Mat> channels_of(const cv::Mat& image) {
  std::vector<cv::Mat> channels(static_cast<std::size_t>(image.channels()));
  for (int i = 0; i < image.channels(); ++i) cv::extractChannel(image, channels[static_cast<std::size_t>(i)], i);
  return channels;
}

}  // namespace normalize
