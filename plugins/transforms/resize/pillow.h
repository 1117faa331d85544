// Resizing with the results of Pillow, the library that torchvision and transformers resize images with.
#pragma once

#include <opencv2/core.hpp>

namespace resize {

enum class PillowFilter { nearest, bilinear, bicubic, lanczos };

// Resizes the columns and then the rows, with values in between that are rounded to the type of the image, as Pillow up
// to 12.2 does. image: H x W of 8U, 16U, 16S or 32F, with any number of channels, each of which is resized alone
// (Pillow multiplies the colors of RGBA by alpha first). 16-bit values that overshoot are saturated; Pillow's overflow.
// Throws std::invalid_argument for another type.
cv::Mat resized_as_pillow(const cv::Mat& image, cv::Size size, PillowFilter filter);

}  // namespace resize
