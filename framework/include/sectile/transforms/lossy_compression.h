// What lossy compression leaves of an image, without a file.
#pragma once

#include <string>

#include <opencv2/core/mat.hpp>

#include <sectile/abi.h>

namespace sectile {

enum class LossyFormat { jpeg, webp };

// Throws DataError for a type, and for a size, that after_compression() refuses.
SECTILE_EXPORT void demand_compressible(const cv::Mat& image, LossyFormat format, const std::string& where);

// The image after it was compressed and decoded: by libjpeg-turbo with its tables for a quality of 1 to 100, and color
// at half the resolution (4:2:0), as most programs and OpenCV do; or by libwebp with its defaults. image: 8U, gray or
// RGB, H x W or D x H x W, whose slices are compressed one by one; not empty; may be a view. where: its name in
// messages. Throws DataError for another type, and for a size that the format does not have: above 65500 pixels for
// JPEG, 16383 for WebP.
SECTILE_EXPORT cv::Mat after_compression(const cv::Mat& image, LossyFormat format, int quality,
                                         const std::string& where);

}  // namespace sectile
