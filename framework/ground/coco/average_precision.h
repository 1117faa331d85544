// What average precision is computed of: the outcome of each detection, for each range of sizes and threshold.
#pragma once

#include <cstdint>
#include <vector>

#include <sectile/data/average_precision.h>

#include "../data/region.h"

namespace sectile {

constexpr int kMostThreads = 256;  // more do not make it faster on any machine

struct ApCounts {
  struct Found {
    double score;
    std::int64_t key;  // of the image
    int rank;          // among those of its image and class, by score
  };
  struct Outcome {
    std::uint32_t matched, ignored;  // a bit per threshold
  };
  struct Category {
    std::vector<std::int64_t> objects;  // that count, by size
    std::vector<Found> found;
    std::vector<Outcome> outcomes;  // [found][sizes]
  };
  ApOptions options;  // whose first size is "all"
  std::vector<Category> by_category;

  ApCounts(ApOptions options, int categories);
  void merge(const ApCounts& other);
  ApReport compute(int threads) const;
  std::vector<double> state() const;
  void merge_state(const std::vector<double>& numbers);
};

// An object as it is compared: by its box, or by its pixels.
struct ComparedObject {
  bool crowd = false;
  double score = 0, area = 0;
  cv::Rect2d box{};
  MaskIntervals region{}, boundary{};
};

// Compares what was found in an image with its objects, class by class. One per thread: it keeps its memory.
class ImageMatcher {
 public:
  explicit ImageMatcher(ApCounts& counts) : counts_(counts) {}
  // Of one class. `detections` have scores that do not increase, and at most max_detections.
  void match(std::int64_t key, int category, const std::vector<const ComparedObject*>& truths,
             const std::vector<const ComparedObject*>& detections);

 private:
  struct Candidate {
    int truth;
    double iou;
  };
  void find_candidates(const std::vector<const ComparedObject*>& truths,
                       const std::vector<const ComparedObject*>& detections);
  double iou(const ComparedObject& detection, const ComparedObject& truth) const;

  ApCounts& counts_;
  std::vector<Candidate> candidates_;  // of all detections, by detection, then by truth
  std::vector<std::size_t> first_;     // of each detection, and the end
  std::vector<std::uint32_t> taken_;   // of each truth: a bit per threshold
  std::vector<char> ignored_;          // of each truth
};

// In pixels, for images of this size.
int boundary_width_of(const ApOptions& options, const cv::Size& size);

}  // namespace sectile
