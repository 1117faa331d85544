// Panoptic quality (Kirillov et al., CVPR 2019, arXiv:1801.00868). Numbers equal those of panopticapi's pq_compute.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core/mat.hpp>

#include <sectile/data/coco_panoptic_file.h>
#include <sectile/sample.h>

namespace sectile {

struct PanopticReport {
  struct Mean {
    double pq = 0, sq = 0, rq = 0;  // NaN: no category counts
    int categories = 0;             // that count: of those with true or predicted segments
  };
  struct PerCategory {
    double pq = 0, sq = 0, rq = 0;  // NaN: it has neither true nor predicted segments
    std::int64_t true_positive = 0, false_positive = 0, false_negative = 0;
  };
  Mean all{}, things{}, stuff{};
  std::vector<PerCategory> per_category{};
};

// A true and a predicted segment match if their category is the same and their IoU, without what is predicted on void,
// is above 0.5; so each has one match at most. A crowd matches nothing. A prediction without a match does not count if
// more than half of it lies on void and the crowd of its category; of several such crowds in an image, the last one
// counts.
class SECTILE_EXPORT PanopticQuality {
 public:
  explicit PanopticQuality(std::vector<bool> things);  // whether each category is a thing, or else stuff
  ~PanopticQuality();
  PanopticQuality(PanopticQuality&&) noexcept;
  PanopticQuality& operator=(PanopticQuality&&) noexcept;

  // One image or volume: 32S maps of segment ids, where 0 is void, and what the segments are. A listed segment without
  // pixels, which resizing or cutting may leave, is as if it were not listed. Throws DataError for maps of different
  // sizes or another type, for pixels of a segment that is not listed, for a segment that is listed twice or has the id
  // 0, and for a category that does not exist.
  void add(const cv::Mat& truth_ids, std::span<const Segment> truths, const cv::Mat& found_ids,
           std::span<const Segment> found);

  // What was counted is whole numbers, also of the IoUs: sums are exact, so that the order never changes a report.
  void merge(const PanopticQuality& other);
  PanopticReport compute() const;
  std::vector<std::int64_t> state() const;
  void merge_state(std::span<const std::int64_t> state);  // throws DataError for that of other categories

 private:
  struct Content;
  std::unique_ptr<Content> content_;
};

// Files of COCO's panoptic format.
struct PanopticFiles {
  std::filesystem::path truth{}, predictions{};  // JSON
  // The folders of their PNGs; none: beside the JSON file, with its name without .json, or else the folder it is in.
  std::optional<std::filesystem::path> truth_masks{}, predictions_masks{};
  int threads = 1;
};

struct PqOfFilesResult {
  PanopticReport report{};
  std::vector<PanopticCategory> categories{};  // of the truth, by ascending id
  std::size_t images = 0, segments = 0, crowds = 0, found = 0;
  std::vector<std::string> notes{};  // what the files contain besides
  std::string convention{};          // which rules the numbers follow
};

// Of predictions, whose annotations alone are read, for the annotated images of a truth. Throws DataError with what is
// wrong with all images: one without prediction, or with two; predictions of images that the truth does not list; PNGs
// that cannot be read or differ in size; segments that only the PNG or only the JSON has; unknown categories.
SECTILE_EXPORT PqOfFilesResult panoptic_quality(const PanopticFiles& files);

}  // namespace sectile
