#include "region.h"

#include <algorithm>
#include <cmath>

#include <opencv2/imgproc.hpp>

#include <sectile/data/boundary.h>
#include <sectile/data/rle.h>

#include "coco_counts.h"

namespace sectile {

// Takes run lengths one by one. Rows are counted on, not divided: there are millions of runs.
class MaskIntervals::Builder {
 public:
  Builder(MaskIntervals& region, const cv::Size& size)
      : region_(region), height_(static_cast<std::uint32_t>(size.height)) {
    region.size = size;
    region.intervals.clear();
    region.area = 0;
    top_ = height_;
  }

  void add(std::uint32_t count) {
    if (inside_ && count > 0) {
      region_.area += count;
      auto& intervals = region_.intervals;
      if (!intervals.empty() && intervals.back().end == at_)
        intervals.back().end += count;  // after a run of no background
      else
        intervals.push_back({at_, at_ + count});
      top_ = row_ + count > height_ ? 0 : std::min(top_, row_);
      bottom_ = std::max(bottom_, std::min(row_ + count, height_));
    }
    at_ += count;
    row_ += count;
    if (row_ >= height_) row_ = row_ < 2 * height_ ? row_ - height_ : row_ % std::max(height_, 1u);
    inside_ = !inside_;
  }

  void finish() {
    region_.box = {};
    if (region_.intervals.empty()) return;
    const auto left = region_.intervals.front().begin / height_, right = (region_.intervals.back().end - 1) / height_;
    region_.box = {static_cast<int>(left), static_cast<int>(top_), static_cast<int>(right - left + 1),
                   static_cast<int>(bottom_ - top_)};
  }

 private:
  MaskIntervals& region_;
  std::uint32_t height_, at_ = 0, row_ = 0, top_ = 0, bottom_ = 0;
  bool inside_ = false;
};

void MaskIntervals::assign(const Rle& rle) {
  std::int64_t covered = 0;
  for (const auto count : rle.counts) covered += count;
  demand_covered(covered, rle.size);
  Builder builder(*this, rle.size);
  for (const auto count : rle.counts) builder.add(count);
  builder.finish();
}

void MaskIntervals::assign(std::string_view compressed, const cv::Size& image) {
  Builder builder(*this, image);
  for_each_count(compressed, image, [&](std::uint32_t count) { builder.add(count); });
  builder.finish();
}

std::int64_t common_area(const MaskIntervals& a, const MaskIntervals& b) {
  const auto *i = a.intervals.data(), *j = b.intervals.data();
  const auto *const i_end = i + a.intervals.size(), *const j_end = j + b.intervals.size();
  if (i == i_end || j == j_end) return 0;
  const auto ends_before = [](const MaskIntervals::Interval& interval, std::uint32_t at) { return interval.end <= at; };
  if (i->end <= j->begin) i = std::lower_bound(i, i_end, j->begin, ends_before);
  if (i == i_end) return 0;
  if (j->end <= i->begin) j = std::lower_bound(j, j_end, i->begin, ends_before);
  std::int64_t sum = 0;
  while (i != i_end && j != j_end) {
    const auto begin = std::max(i->begin, j->begin), end = std::min(i->end, j->end);
    sum += end > begin ? end - begin : 0;
    const bool next_i = i->end <= j->end, next_j = j->end <= i->end;
    i += next_i;
    j += next_j;
  }
  return sum;
}

MaskIntervals boundary_of(const MaskIntervals& region, int width) {
  MaskIntervals boundary;
  if (region.intervals.empty()) {
    boundary.size = region.size;
    return boundary;
  }
  // The mask's box is enough: beyond it nothing belongs to the mask.
  const auto& box = region.box;
  constexpr std::int64_t kMost = std::int64_t{1} << 28;
  if (pixels_of(box.size()) > kMost)
    throw DataError("mask", "has a box of " + text_of(box.size()) + "; boundaries are computed up to 2^28 pixels");
  cv::Mat columns(box.width, box.height, CV_8U, cv::Scalar(0));
  const auto height = static_cast<std::uint32_t>(region.size.height);
  for (auto [begin, end] : region.intervals)
    while (begin < end) {
      const auto column = begin / height, row = begin % height;
      const auto stop = std::min(end, (column + 1) * height);
      auto* const pixels = columns.ptr(static_cast<int>(column) - box.x) - box.y;
      std::fill(pixels + row, pixels + row + (stop - begin), std::uint8_t{1});
      begin = stop;
    }
  cv::Mat inner;
  const int side = 2 * width + 1;
  if (columns.rows < side || columns.cols < side)  // no pixel is so far from the border of the box
    inner = cv::Mat::zeros(columns.size(), CV_8U);
  else
    cv::erode(columns, inner, cv::getStructuringElement(cv::MORPH_RECT, {side, side}), {-1, -1}, 1, cv::BORDER_CONSTANT,
              cv::Scalar(0));
  const cv::Mat band = columns - inner;
  Rle rle{region.size, {}};
  bool inside = false;
  std::uint32_t run = static_cast<std::uint32_t>(box.x) * height;
  const auto put = [&](bool is_inside, std::uint32_t count) {
    if (count == 0) return;
    if (is_inside == inside) {
      run += count;
      return;
    }
    rle.counts.push_back(run);
    run = count;
    inside = is_inside;
  };
  for (int x = 0; x < band.rows; ++x) {
    put(false, static_cast<std::uint32_t>(box.y));
    for (int y = 0; y < band.cols; ++y) put(band.at<std::uint8_t>(x, y) != 0, 1);
    put(false, height - static_cast<std::uint32_t>(box.y + box.height));
  }
  put(false, static_cast<std::uint32_t>(region.size.width - box.x - box.width) * height);
  rle.counts.push_back(run);
  boundary.assign(rle);
  return boundary;
}

int boundary_width(double share, const cv::Size& image) {
  const double diagonal = std::sqrt(double(image.width) * image.width + double(image.height) * image.height);
  return std::max(1, static_cast<int>(std::nearbyint(share * diagonal)));
}

BoundaryOverlap boundary_overlap(const cv::Mat& a, const cv::Mat& b, int width) {
  MaskIntervals first, second;
  first.assign(rle_of(a)), second.assign(rle_of(b));
  const auto one = boundary_of(first, width), other = boundary_of(second, width);
  const auto common = common_area(one, other);
  return {.common = common, .united = one.area + other.area - common};
}

}  // namespace sectile
