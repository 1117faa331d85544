// Visualization of label maps and objects.
#pragma once

#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/context.h>
#include <sectile/data/image_io.h>
#include <sectile/sample.h>

namespace sectile {

Palette palette_of(const LabelMap& labels);

// image: 8U, 16U, 16S or 32F, with any number of channels; types other than 8U are scaled from minimum to maximum, and
// of other than 1 or 3 channels, the first is shown in grayscale. labels: 16S class numbers and kIgnore, of the same
// size. Returns 8U RGB: the image overlaid with class colors, with a darker line between classes.
cv::Mat overlay(const cv::Mat& image, const cv::Mat& labels, const LabelMap& classes);

enum class Scores { shown, hidden };  // hidden: of annotated objects, which have none

// Objects on the image, the first one on top, each in a color of its own: its mask with a stronger line around it, its
// box, and its class and score; of small ones the score alone, or none. Without scores, nor is the class written if it
// is the only one. Throws DataError for a mask of another size than the image.
cv::Mat overlay(const cv::Mat& image, const std::vector<Instance>& objects, const LabelMap& classes,
                Scores scores = Scores::shown);

// 8U RGB, as overlays show an image.
cv::Mat shown_as_rgb(const cv::Mat& image);

}  // namespace sectile
