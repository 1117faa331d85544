// Label maps as people look at them.
#pragma once

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/data/image_io.h>

namespace sectile {

Palette palette_of(const LabelMap& labels);

// image: 8U, 16U, 16S or 32F, of any number of channels; all but 8U is stretched from its least to its largest value,
// and of other than 1 or 3 channels the first is shown, as grey. labels: 16S class numbers and kIgnore, of the same
// size. Returns 8U RGB: the image under its classes' colors, with a darker line where classes meet.
cv::Mat overlay(const cv::Mat& image, const cv::Mat& labels, const LabelMap& classes);

}  // namespace sectile
