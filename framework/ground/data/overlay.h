// Visualization of label maps.
#pragma once

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/data/image_io.h>

namespace sectile {

Palette palette_of(const LabelMap& labels);

// image: 8U, 16U, 16S or 32F, with any number of channels; types other than 8U are scaled from minimum to maximum, and
// of other than 1 or 3 channels, the first is shown in grayscale. labels: 16S class numbers and kIgnore, of the same
// size. Returns 8U RGB: the image overlaid with class colors, with a darker line between classes.
cv::Mat overlay(const cv::Mat& image, const cv::Mat& labels, const LabelMap& classes);

}  // namespace sectile
