// Which predicted segments of an image are right, by the rules of panoptic quality.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include <sectile/sample.h>

#include "segment_pairs.h"

namespace sectile {

// Of one category. An IoU above 0.5 is a multiple of 2^-53 as a double, so the sum of all is kept exactly: that of
// their upper 28 bits and that of their lower 26, which do not overflow before 2^35 matches.
struct PanopticCounts {
  static constexpr std::size_t kNumbers = 5;
  std::int64_t true_positive = 0, false_positive = 0, false_negative = 0;
  std::int64_t iou_high = 0, iou_low = 0;

  void add_match(double iou);
  double iou() const;  // the sum, rounded once
  std::array<std::int64_t, kNumbers> numbers() const {
    return {true_positive, false_positive, false_negative, iou_high, iou_low};
  }
  void add(std::span<const std::int64_t, kNumbers> numbers);
};

// The segments of one map, and what was found of them.
class SegmentList {
 public:
  // Throws DataError for an id that is 0 or comes twice, and for a category that is not below `categories`.
  // what: "true" or "predicted", for messages.
  void assign(std::span<const Segment> segments, int categories, const char* what);
  int find(std::int32_t id) const;  // its position, or -1

  struct Found {
    std::int64_t area = 0, ignored = 0;  // pixels; of a prediction, those on void and the crowd of its category
    std::int64_t on_void = 0;
    bool matched = false;
  };
  std::span<const Segment> segments{};
  std::vector<Found> found{};            // of each
  std::vector<std::int32_t> unlisted{};  // ids that pixels have, and the list does not; ascending
  std::vector<std::int32_t> without_pixels() const;

 private:
  std::vector<std::pair<std::int32_t, int>> by_id_;
};

class SegmentMatcher {
 public:
  // Counts the pixels that segments share, without any rule. Throws as PanopticQuality::add, but not for segments that
  // are not listed.
  void compare(const cv::Mat& truth_ids, std::span<const Segment> truths, const cv::Mat& found_ids,
               std::span<const Segment> found, int categories);
  // Adds to the counts of each category.
  void match(std::vector<PanopticCounts>& counts);

  const SegmentList& truths() const { return truths_; }
  const SegmentList& found() const { return found_; }

 private:
  SegmentPairs table_;
  SegmentList truths_, found_;
  struct Pair {
    int truth, found;  // positions
    std::int64_t pixels;
  };
  std::vector<Pair> pairs_;  // of listed segments
  std::vector<int> crowds_;  // by category: the position of its crowd, or -1
};

// For messages: "3, 4, 5, 6, 7 and 12 more".
std::string listed_ids(std::span<const std::int32_t> ids);

}  // namespace sectile
