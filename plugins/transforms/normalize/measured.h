// What `normalize` measures of an image, and the clipping of its pixels. Images and volumes of 8U, 16U, 16S or 32F.
#pragma once

#include <array>
#include <vector>

#include <opencv2/core.hpp>

namespace normalize {

struct Scale {
  double mean = 0, deviation = 1;
};

// values: one channel, without numbers that are not finite. Values that are all equal get the deviation 1, so that they
// become 0.
Scale standard_scale(const cv::Mat& values);  // mean and standard deviation of the population
Scale min_max_scale(const cv::Mat& values);   // the smallest becomes 0, the largest 1

// The values below which `lower` and `upper` percent of the values are, interpolated linearly between the two nearest
// values, as numpy.percentile does. values: as above.
std::array<double, 2> percentiles(const cv::Mat& values, double lower, double upper);

// A new image. The limits are rounded for an image of integers.
cv::Mat clipped(const cv::Mat& image, double least, double most);

std::vector<cv::Mat> channels_of(const cv::Mat& image);

}  // namespace normalize
