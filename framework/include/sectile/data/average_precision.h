// Average precision as COCO defines it (https://cocodataset.org/#detection-eval), and that of boundaries (Cheng et al.
// 2021, arXiv:2103.16562). Numbers equal those of pycocotools 2.0 and of boundary_iou_api.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <opencv2/core/types.hpp>

#include <sectile/mask.h>

namespace sectile {

// What overlaps are computed of. boundary: of masks, the smaller one of their IoU and that of their boundaries.
enum class ApKind { box, mask, boundary };

struct SizeRange {
  std::string name;
  double least = 0, most = 1e10;  // areas in pixels; both belong to it
};

struct SECTILE_EXPORT ApOptions {
  ApKind kind = ApKind::mask;
  std::vector<double> iou_thresholds;  // ascending, at most 32; 0.5, 0.55, ..., 0.95
  std::vector<int> max_detections;     // per image and class, ascending; 1, 10, 100
  std::vector<SizeRange> sizes;        // besides all: small, medium, large
  double boundary_width = 0.02;        // of the image's diagonal

  ApOptions();  // COCO's
};

// An object of an image, or what a detector found.
struct ApObject {
  int category = 0;
  bool crowd = false;  // of truth: its detections do not count
  double score = 1;    // of detections
  double area = 0;     // in pixels: which size range it belongs to
  cv::Rect2d box{};
  Rle mask{};  // not needed for boxes
};

struct ApReport {
  struct Line {
    std::string size;  // "all", or one of ApOptions::sizes
    int max_detections = 0;
    double ap = 0;  // mean over thresholds and classes; only of the largest max_detections, else NaN
    double ar = 0;  // average recall, likewise. NaN: there are no objects
  };
  struct PerClass {
    std::int64_t objects = 0;                   // that are not crowds
    std::int64_t detections = 0;                // within max_detections
    double ap = 0, ap50 = 0, ap75 = 0, ar = 0;  // NaN: there are no objects, or there is no such threshold
    std::vector<double> ap_by_size{};           // of ApOptions::sizes
  };
  double ap = 0, ap50 = 0, ap75 = 0;
  std::vector<Line> lines{};          // all sizes and each limit, then each size and the largest limit
  std::vector<PerClass> per_class{};  // by category
};

class SECTILE_EXPORT AveragePrecision {
 public:
  AveragePrecision(ApOptions options, int categories);
  ~AveragePrecision();
  AveragePrecision(AveragePrecision&&) noexcept;
  AveragePrecision& operator=(AveragePrecision&&) noexcept;

  // One image. Detections of equal score count in the order of images' keys, then in that given here. Throws DataError
  // for masks of different sizes, and for scores and areas that are not finite.
  void add(std::int64_t key, std::span<const ApObject> truths, std::span<const ApObject> detections);

  // Adds what another one counted, with the same options. Not the same images.
  void merge(const AveragePrecision& other);
  ApReport compute(int threads = 1) const;

  // What was counted, as numbers: for merging across processes.
  std::vector<double> state() const;
  void merge_state(const std::vector<double>& state);

 private:
  struct Content;
  friend struct ApOfFiles;
  std::unique_ptr<Content> content_;
};

struct ApOfFilesOptions {
  ApOptions ap{};                // its kind does not count
  std::optional<ApKind> kind{};  // none: of masks if results have them, else of boxes
  int threads = 1;
};

struct ApOfFilesResult {
  ApKind kind = ApKind::mask;
  ApReport report{};
  std::vector<std::string> categories{};  // names, in the file's order
  std::size_t images = 0, objects = 0, crowds = 0, detections = 0;
  std::vector<std::string> notes{};  // what the files contain besides
  std::string convention{};          // which rules the numbers follow
};

// Of results (a list of objects with image_id, category_id, score, bbox or segmentation) for a file of instances.
// Throws DataError for what CocoFile and CocoResults refuse, and for masks that cannot be read.
SECTILE_EXPORT ApOfFilesResult average_precision(const std::filesystem::path& truth,
                                                 const std::filesystem::path& results, const ApOfFilesOptions& options);

}  // namespace sectile
