// Exact Euclidean distances to the pixels of a mask (Felzenszwalb and Huttenlocher 2012, "Distance Transforms of
// Sampled Functions"), in time linear in the number of pixels.
#pragma once

#include <opencv2/core/mat.hpp>
#include <opencv2/core/matx.hpp>

#include <sectile/abi.h>

namespace sectile {

// The squared distance of each pixel's center to that of the nearest pixel of the mask: 0 inside, infinite if the mask
// covers no pixel. mask: 8U, one channel, H x W or D x H x W, 0 or not; may be a view. spacing: size of a pixel
// (x, y, z), above 0. Returns 64F of the mask's size. Throws DataError for another mask or spacing.
SECTILE_EXPORT cv::Mat squared_distance_transform(const cv::Mat& mask, const cv::Vec3d& spacing = {1, 1, 1});
SECTILE_EXPORT cv::Mat distance_transform(const cv::Mat& mask, const cv::Vec3d& spacing = {1, 1, 1});

}  // namespace sectile
