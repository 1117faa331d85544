// Noise at every pixel, and its smoothing by a Gaussian.
#pragma once

#include <cstdint>

#include <opencv2/core/mat.hpp>

#include <sectile/sample.h>

namespace elastic {

enum class Noise { gaussian, uniform };

// 32F [depth * height, width]. Standard normal, or uniform in [-1, 1). Each value depends only on the key, the number
// of the field and its place.
cv::Mat noise(const sectile::Extent& size, Noise distribution, std::uint64_t key, std::uint64_t field);

// Along all axes that are longer than one pixel, with the edge repeated: by the kernel of cv::GaussianBlur for float
// images, which ends at four standard deviations, or, if approximate, after 17 pixels.
cv::Mat smoothed(const cv::Mat& field, const sectile::Extent& size, double sigma, bool approximate);

}  // namespace elastic
