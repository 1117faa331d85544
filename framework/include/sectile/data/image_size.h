// Datasets' images and the maps of their pixels: one option for all that turns images upright, and sizes that must be
// the same.
#pragma once

#include <filesystem>
#include <string>

#include <opencv2/core/types.hpp>

#include <sectile/data/image_io.h>
#include <sectile/options.h>

namespace sectile {

// A dataset declares it among its options, and reads its images, not their masks, as it says.
struct SECTILE_EXPORT OrientationOption {
  bool apply_exif_orientation = true;
  void declare(Options& options);
  ReadOptions reading() const { return {.apply_exif_orientation = apply_exif_orientation}; }
};

// "640 x 480": width and height.
SECTILE_EXPORT std::string size_text(const cv::Size& size);

// Throws DataError where the file, of the size `found`, is of another size than `other`.
SECTILE_EXPORT void demand_same_size(const std::filesystem::path& file, const cv::Size& found,
                                     const std::filesystem::path& other, const cv::Size& wanted);

// The same for a mask and its image, which was read with `reading`. Says so if the image's EXIF orientation is the
// cause.
SECTILE_EXPORT void demand_size_of_image(const std::filesystem::path& mask, const cv::Size& found,
                                         const std::filesystem::path& image, const cv::Size& wanted,
                                         const ReadOptions& reading);

// For messages: "; the image's EXIF orientation swaps its sides: set \"apply_exif_orientation\" to false", or nothing
// if the image is not of the size `wanted` then either.
SECTILE_EXPORT std::string orientation_advice(const std::filesystem::path& image, const ReadOptions& reading,
                                              const cv::Size& wanted);

}  // namespace sectile
