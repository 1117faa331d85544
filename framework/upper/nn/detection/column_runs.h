// From runs of pixels to the run lengths of a mask.
#pragma once

#include <cstdint>
#include <utility>
#include <vector>

#include <sectile/mask.h>

namespace sectile::nn {

// Column by column; what lies between two calls is background.
class ColumnRuns {
 public:
  explicit ColumnRuns(const cv::Size& size) : height_(size.height), end_(std::int64_t{size.width} * size.height) {}
  void add(std::int64_t column, std::int64_t top, std::int64_t bottom) {
    add(column * height_ + top, column * height_ + bottom);
  }
  void add(std::int64_t begin, std::int64_t end) {
    if (begin == at_ && counts_.size() % 2 == 0 && !counts_.empty()) {  // goes on from the column before
      counts_.back() += static_cast<std::uint32_t>(end - begin);
    } else {
      counts_.push_back(static_cast<std::uint32_t>(begin - at_));
      counts_.push_back(static_cast<std::uint32_t>(end - begin));
    }
    at_ = end;
  }
  std::vector<std::uint32_t> take() {
    if (at_ < end_ || counts_.empty()) counts_.push_back(static_cast<std::uint32_t>(end_ - at_));
    return std::move(counts_);
  }

 private:
  std::int64_t height_, end_, at_ = 0;
  std::vector<std::uint32_t> counts_;
};

}  // namespace sectile::nn
