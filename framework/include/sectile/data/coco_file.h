// COCO's files of objects: instances (https://cocodataset.org/#format-data) and results of detectors (#format-results).
// They are read in one pass with simdjson; masks stay text until they are asked for, so that opening a file takes
// little more time and memory than its text.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <opencv2/core/types.hpp>

#include <sectile/mask.h>

namespace sectile {

// A mask as in the file. A view of its text, which the object that gave it holds.
struct CocoMask {
  enum class Form { none, polygons, counts, text };  // counts: plain run lengths; text: compressed ones
  Form form = Form::none;
  cv::Size size{};          // stated with run lengths
  std::string_view json{};  // an array, or a string without its quotes
};

struct CocoImage {
  std::int64_t id = 0;
  std::string file_name{};
  cv::Size size{};  // empty: not stated
};

struct CocoCategory {
  std::int64_t id = 0;
  std::string name{};
  std::string supercategory{};
};

struct CocoAnnotation {
  static constexpr auto kNoId = std::numeric_limits<std::int64_t>::min();
  std::int64_t id = kNoId;  // of results, none
  int image = 0;            // its position in images()
  int category = 0;         // its position in categories(), or -1: it is one of faults()
  bool crowd = false;
  bool has_box = false;
  cv::Rect2d box{};                                         // x, y, width, height as stated
  double area = std::numeric_limits<double>::quiet_NaN();   // as stated; NaN: it is not
  double score = std::numeric_limits<double>::quiet_NaN();  // of results
  CocoMask mask{};
};

// What is wrong with one image. The others can be used.
struct CocoFault {
  int image = 0;
  std::string place{};  // "annotations[17] (id 5)"
  std::string message{};
  bool of_image = false;  // of its entry in "images", and nothing of it can be used; false: of one of its annotations
};

// Pixels of the mask in an image of this size: pycocotools' (data/rle.h). Rings of fewer than three corners have none,
// and are counted in `short_rings`. Throws DataError for polygons with an odd number of coordinates or one that is not
// a finite number, and for run lengths of another size than the image's or that do not fill theirs. An image of empty
// size is of the size that the run lengths state.
SECTILE_EXPORT Mask mask_of(const CocoMask& mask, const cv::Size& image, int* short_rings = nullptr);

class SECTILE_EXPORT CocoFile {
 public:
  // Throws DataError, with line and column, for a file that is not JSON, and, with its place, for what is no list of
  // objects or has no id, and for a category or image twice.
  explicit CocoFile(const std::filesystem::path& file);
  ~CocoFile();
  CocoFile(CocoFile&&) noexcept;
  CocoFile& operator=(CocoFile&&) noexcept;

  const std::filesystem::path& file() const;
  const std::vector<CocoImage>& images() const;         // in the file's order
  const std::vector<CocoCategory>& categories() const;  // in the file's order
  bool has_annotations() const;                         // false: of test images (image_info), there is no such list
  std::span<const CocoAnnotation> annotations() const;  // by image, in the file's order
  std::span<const CocoAnnotation> of_image(int image) const;
  int image_of(std::int64_t id) const;     // -1: none
  int category_of(std::int64_t id) const;  // -1: none

  // Images and annotations that cannot be used: an image with a file_name that is no text or a size that is no number
  // of pixels; an annotation of a category that is not listed, with an id that another one has, with a box that is not
  // four numbers. Ascending by image, and its own before those of its annotations.
  const std::vector<CocoFault>& faults() const;
  // Ids of images that have annotations and are not listed, ascending. Their annotations are left out.
  const std::vector<std::int64_t>& unlisted_images() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

struct CocoResultsOptions {
  int threads = 1;    // that read
  bool masks = true;  // false: masks of results that have a box are not kept, which then have none
};

// Results for the images of a file: a list of objects with image_id, category_id, score, and bbox or segmentation.
class SECTILE_EXPORT CocoResults {
 public:
  // Throws DataError as CocoFile does, for an image that `truth` does not list, and where a score or bbox is missing or
  // not finite.
  CocoResults(const std::filesystem::path& file, const CocoFile& truth, const CocoResultsOptions& options = {});
  ~CocoResults();
  CocoResults(CocoResults&&) noexcept;
  CocoResults& operator=(CocoResults&&) noexcept;

  const std::filesystem::path& file() const;
  std::span<const CocoAnnotation> all() const;  // by image, in the file's order
  std::span<const CocoAnnotation> of_image(int image) const;
  // Category ids that `truth` does not list, ascending, with the number of their results, which are left out.
  const std::vector<std::pair<std::int64_t, std::size_t>>& unlisted_categories() const;

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

}  // namespace sectile
