// How many pixels each pair of a true and a predicted segment shares.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include <opencv2/core/mat.hpp>

namespace sectile {

struct SegmentPair {
  std::int32_t truth, found;  // ids
  std::int64_t pixels;
};

// A hash table that keeps its memory from one image to the next.
class SegmentPairs {
 public:
  SegmentPairs();

  // 32S maps of one size. The pairs are in no particular order, and valid until the next call.
  const std::vector<SegmentPair>& count(const cv::Mat& truth, const cv::Mat& found);

 private:
  void count_row(const std::int32_t* truth, const std::int32_t* found, std::size_t pixels);
  void add(std::int32_t truth, std::int32_t found, std::size_t pixels);
  void grow();
  std::uint32_t& slot_of(std::int32_t truth, std::int32_t found);

  std::vector<SegmentPair> pairs_;
  std::vector<std::uint32_t> slots_;  // position in pairs_ and 1, or 0; a power of two of them, at most half in use
  unsigned shift_;                    // from 64 bits of a hash to a slot
};

}  // namespace sectile
