// COCO's files of panoptic segmentation (https://cocodataset.org/#format-data, part 4): a JSON file that names one PNG
// per image and describes the segments in it. Read with simdjson, one annotation after the other.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>
#include <opencv2/core/types.hpp>

#include <sectile/abi.h>

namespace sectile {

struct PanopticCategory {
  std::int64_t id = 0;
  std::string name{};
  bool thing = false;
  std::optional<std::array<std::uint8_t, 3>> color{};
};

struct PanopticSegment {
  std::int32_t id = 0;  // in the PNG: red + 256 green + 65536 blue
  int category = 0;     // its position in categories
  bool crowd = false;
  std::optional<double> area{};  // as stated
};

struct PanopticImage {
  std::int64_t id = 0;
  std::string file_name{};
  cv::Size size{};            // as stated; empty: it is not
  std::string image_fault{};  // why nothing of it can be used; empty: it can
  std::string place{};        // of its annotation in the file: "annotations[17]"; empty: it has none
  std::string mask{};         // name of its PNG
  std::vector<PanopticSegment> segments{};
  std::string fault{};  // why its annotation cannot be used; empty: it can
};

struct PanopticFile {
  std::vector<PanopticCategory> categories{};  // by ascending id
  std::vector<PanopticImage> images{};         // in the file's order
};

// Throws DataError for a file that is not JSON, for categories that are not as expected, for images without an id or
// with that of another, and for annotations of images that it does not list. What is wrong with one image is its fault,
// so that the others can be used: a file_name that is no text, a size that is no number of pixels, segments with an id
// outside 1 to 16777215, one that another has, or a category that is not listed, or a PNG that another annotation
// names.
SECTILE_EXPORT PanopticFile read_coco_panoptic(const std::filesystem::path& file);

// What was predicted for the images of a truth, by the ids of its images and categories.
struct PanopticResults {
  std::vector<PanopticImage> images{};   // as in the truth, of which only the id, and what an annotation says, is set
  std::vector<std::int64_t> unlisted{};  // ids of images that the truth does not list
};

// The annotations of a file of predictions; what else it has is not read. Throws DataError for a file that is not JSON
// or has no list of annotations. What is wrong with one image is its fault, as above, also a second annotation of it.
SECTILE_EXPORT PanopticResults read_coco_panoptic_results(const std::filesystem::path& file, const PanopticFile& truth);

// 32S: red + 256 green + 65536 blue of each pixel. Throws DataError for an image of other channels.
SECTILE_EXPORT cv::Mat read_panoptic_png(const std::filesystem::path& file);

}  // namespace sectile
