// Boundaries of masks and their overlap (Cheng et al. 2021, arXiv:2103.16562); equal to boundary_iou_api.
#pragma once

#include <cstdint>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>

#include <sectile/abi.h>

namespace sectile {

// In pixels: this share of the image's diagonal, rounded (halves to the even number), at least 1.
SECTILE_EXPORT int boundary_width(double share, const cv::Size& image);

struct BoundaryOverlap {
  std::int64_t common = 0, united = 0;  // pixels
};
// The boundary of a mask is its pixels that are at most `width` pixels from one outside it, along both axes; what is
// beyond the edge is outside. a, b: 8U, H x W, of one size, 0 or not.
SECTILE_EXPORT BoundaryOverlap boundary_overlap(const cv::Mat& a, const cv::Mat& b, int width);

}  // namespace sectile
