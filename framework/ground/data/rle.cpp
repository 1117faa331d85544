#include <sectile/data/rle.h>

#include <algorithm>
#include <cmath>

#include <opencv2/core.hpp>

#include <sectile/error.h>

#include "coco_counts.h"
#include "region.h"

namespace sectile {
namespace {

// Run lengths are read from files: they must not exceed the image.
void check_covers(const Rle& rle) {
  std::int64_t covered = 0;
  for (const auto count : rle.counts) covered += count;
  demand_covered(covered, rle.size);
}

// Appends runs, joining those of equal kind.
class Runs {
 public:
  void add(bool inside, std::uint32_t count) {
    if (count == 0) return;
    if (inside == inside_)
      counts_.back() += count;
    else
      counts_.push_back(count), inside_ = inside;
  }
  std::vector<std::uint32_t> take() { return std::move(counts_); }

 private:
  std::vector<std::uint32_t> counts_{0};
  bool inside_ = false;
};

// One after the other, with the number of pixels that are left of it.
class Walk {
 public:
  explicit Walk(const std::vector<std::uint32_t>& counts) : counts_(counts) { skip_empty(); }
  bool ended() const { return index_ >= counts_.size(); }
  bool inside() const { return index_ % 2 == 1; }
  std::uint32_t left() const { return left_; }
  void advance(std::uint32_t by) {
    left_ -= by;
    if (left_ == 0) ++index_, skip_empty();
  }

 private:
  void skip_empty() {
    while (index_ < counts_.size() && counts_[index_] == 0) ++index_;
    left_ = index_ < counts_.size() ? counts_[index_] : 0;
  }
  const std::vector<std::uint32_t>& counts_;
  std::size_t index_ = 0;
  std::uint32_t left_ = 0;
};

template <class Use>
void walk_both(const Rle& a, const Rle& b, const Use& use) {
  Walk one(a.counts), other(b.counts);
  while (!one.ended() && !other.ended()) {
    const auto step = std::min(one.left(), other.left());
    use(one.inside(), other.inside(), step);
    one.advance(step);
    other.advance(step);
  }
}

}  // namespace

std::string to_coco(const Rle& rle) {
  // Numbers from the third on are differences to the one two before, in groups of five bits with a sign.
  constexpr std::int64_t kGroup = 5, kLow = 31, kMore = 32, kSign = 16, kFirstCharacter = 48;
  std::string text;
  for (std::size_t i = 0; i < rle.counts.size(); ++i) {
    std::int64_t number = rle.counts[i];
    if (i > 2) number -= rle.counts[i - 2];
    for (bool more = true; more;) {
      auto group = number & kLow;
      number >>= kGroup;
      more = group & kSign ? number != -1 : number != 0;
      if (more) group |= kMore;
      text += static_cast<char>(group + kFirstCharacter);
    }
  }
  return text;
}

Rle from_coco(const std::string& text, const cv::Size& size) {
  Rle rle{size, {}};
  for_each_count(text, size, [&](std::uint32_t count) { rle.counts.push_back(count); });
  return rle;
}

Rle rle_of(const cv::Mat& bitmap) {
  const cv::Mat columns = bitmap.t();
  Rle rle{bitmap.size(), {0}};
  bool inside = false;
  for (int x = 0; x < columns.rows; ++x) {
    const auto* const pixel = columns.ptr<std::uint8_t>(x);
    for (int y = 0; y < columns.cols; ++y) {
      if ((pixel[y] != 0) != inside) inside = !inside, rle.counts.push_back(0);
      ++rle.counts.back();
    }
  }
  return rle;
}

cv::Mat bitmap_of(const Rle& rle) {
  check_covers(rle);
  cv::Mat columns(rle.size.width, rle.size.height, CV_8U, cv::Scalar(0));
  auto* at = columns.data;
  for (std::size_t i = 0; i < rle.counts.size(); at += rle.counts[i++])
    if (i % 2) std::fill_n(at, rle.counts[i], std::uint8_t{1});
  return columns.t();
}

namespace {

// The border of a ring in fifths of pixels, as pycocotools draws it: each edge one point per step along its longer
// axis. Only where the border goes from one column of pixels' centers to the next does it begin or end a run.
class Border {
 public:
  Border(const cv::Size& size, std::vector<std::int64_t>& crossings) : size_(size), crossings_(crossings) {}

  void edge(cv::Point2i from, cv::Point2i to) {
    const bool is_flat = std::abs(to.x - from.x) >= std::abs(to.y - from.y);
    if (is_flat ? from.x > to.x : from.y > to.y) std::swap(from, to);  // the crossings are the same in both directions
    if (from.x == to.x) return;
    if (is_flat)
      cross_flat(from, to);
    else
      cross_steep(from, to);
  }

 private:
  static constexpr int kScale = 5, kCenter = 2;  // a pixel's center is two fifths and a half from its border

  void cross(std::int64_t column, std::int64_t v) {
    if (column < 0 || column >= size_.width) return;
    const double y = std::clamp((static_cast<double>(v) + 0.5) / kScale - 0.5, 0.0, double(size_.height));
    constexpr std::size_t kMost = std::size_t{1} << 21;  // of a huge image and many edges, as no annotator draws them
    if (crossings_.size() == kMost)
      throw DataError("mask", "has a polygon whose border crosses more than " + std::to_string(kMost) +
                                  " columns of pixels; is the size of the image right?");
    crossings_.push_back(column * size_.height + static_cast<std::int64_t>(std::ceil(y)));
  }

  static std::int64_t first_column(int u) {  // whose center is right of u or at it
    const std::int64_t from = std::int64_t{u} - kCenter;
    return from >= 0 ? (from + kScale - 1) / kScale : -(-from / kScale);
  }

  void cross_flat(const cv::Point2i& from, const cv::Point2i& to) {
    const double slope = double(to.y - from.y) / (to.x - from.x);
    const auto v = [&](std::int64_t u) { return static_cast<std::int64_t>(from.y + slope * double(u - from.x) + 0.5); };
    const auto last = std::min<std::int64_t>(size_.width, first_column(to.x));
    for (auto column = std::max<std::int64_t>(0, first_column(from.x)); column < last; ++column) {
      const auto u = column * kScale + kCenter;
      cross(column, std::min(v(u), v(u + 1)));
    }
  }

  void cross_steep(const cv::Point2i& from, const cv::Point2i& to) {
    const double slope = double(to.x - from.x) / (to.y - from.y);
    const int length = to.y - from.y;
    const auto u = [&](std::int64_t t) { return static_cast<std::int64_t>(from.x + slope * double(t) + 0.5); };
    const int left = std::min(from.x, to.x), right = std::max(from.x, to.x);
    const auto last = std::min<std::int64_t>(size_.width, first_column(right));
    for (auto column = std::max<std::int64_t>(0, first_column(left)); column < last; ++column) {
      const auto border = column * kScale + kCenter;  // between it and the next
      // The last step on this side, found from where the line would be.
      auto t = static_cast<std::int64_t>((double(border) + 0.5 - from.x) / slope);
      t = std::clamp<std::int64_t>(t, 0, length - 1);
      const auto is_right = [&](std::int64_t step) { return u(step) > border; };
      const bool to_right = slope > 0;
      while (t > 0 && is_right(t) == to_right) --t;
      while (t + 1 < length && is_right(t + 1) != to_right) ++t;
      cross(column, from.y + t);
    }
  }

  cv::Size size_;
  std::vector<std::int64_t>& crossings_;
};

}  // namespace

Rle rle_of(const std::vector<cv::Point2d>& ring, const cv::Size& size) {
  constexpr double kScale = 5, kLargest = 1e8;
  std::vector<cv::Point2i> corners;
  for (const auto& corner : ring) {
    if (!(std::abs(corner.x) <= kLargest && std::abs(corner.y) <= kLargest))  // also NaN
      throw DataError("mask", "has a polygon with the corner (" + text_of(corner.x) + ", " + text_of(corner.y) + ")");
    corners.emplace_back(static_cast<int>(kScale * corner.x + 0.5), static_cast<int>(kScale * corner.y + 0.5));
  }
  std::vector<std::int64_t> crossings;
  Border border(size, crossings);
  for (std::size_t i = 0; i < corners.size(); ++i) border.edge(corners[i], corners[(i + 1) % corners.size()]);
  std::sort(crossings.begin(), crossings.end());
  crossings.push_back(pixels_of(size));
  Rle rle{size, {}};
  Runs runs;
  std::int64_t before = 0;
  bool inside = false;
  for (const auto crossing : crossings) {
    runs.add(inside, static_cast<std::uint32_t>(crossing - before));
    before = crossing;
    inside = !inside;
  }
  rle.counts = runs.take();
  return rle;
}

Rle rle_of(const cv::Rect2d& box, const cv::Size& size) {
  const double right = box.x + box.width, bottom = box.y + box.height;
  return rle_of({{box.x, box.y}, {box.x, bottom}, {right, bottom}, {right, box.y}}, size);
}

std::int64_t area_of(const Rle& rle) {
  std::int64_t sum = 0;
  for (std::size_t i = 1; i < rle.counts.size(); i += 2) sum += rle.counts[i];
  return sum;
}

cv::Rect box_of(const Rle& rle) {
  const std::int64_t height = rle.size.height;
  std::int64_t left = rle.size.width, right = -1, top = height, bottom = -1, at = 0;
  for (std::size_t i = 0; i < rle.counts.size(); at += rle.counts[i++]) {
    if (i % 2 == 0 || rle.counts[i] == 0) continue;
    const auto first = at, last = at + rle.counts[i] - 1;
    left = std::min(left, first / height);
    right = std::max(right, last / height);
    const bool one_column = first / height == last / height;
    top = std::min(top, one_column ? first % height : 0);
    bottom = std::max(bottom, one_column ? last % height : height - 1);
  }
  if (right < left) return {};
  return {static_cast<int>(left), static_cast<int>(top), static_cast<int>(right - left + 1),
          static_cast<int>(bottom - top + 1)};
}

namespace {

template <class Decide>
Rle combined(const std::vector<Rle>& all, const Decide& decide) {
  if (all.empty()) throw DataError("mask", "of no masks");
  auto result = all.front();
  check_covers(result);
  for (std::size_t i = 1; i < all.size(); ++i) {
    if (all[i].size != result.size)
      throw DataError("mask", "of images of " + text_of(result.size) + " and " + text_of(all[i].size));
    check_covers(all[i]);
    Runs runs;
    walk_both(result, all[i], [&](bool a, bool b, std::uint32_t count) { runs.add(decide(a, b), count); });
    result.counts = runs.take();
  }
  return result;
}

}  // namespace

Rle united(const std::vector<Rle>& all) {
  return combined(all, [](bool a, bool b) { return a || b; });
}
Rle intersection_of(const std::vector<Rle>& all) {
  return combined(all, [](bool a, bool b) { return a && b; });
}

namespace {

std::vector<MaskIntervals> regions_of(const std::vector<Rle>& all) {
  std::vector<MaskIntervals> regions(all.size());
  for (std::size_t i = 0; i < all.size(); ++i) regions[i].assign(all[i]);
  return regions;
}

}  // namespace

std::vector<double> iou_of(const std::vector<Rle>& predictions, const std::vector<Rle>& truths,
                           const std::vector<bool>& crowd) {
  const auto ours = regions_of(predictions), theirs = regions_of(truths);
  std::vector<double> result(ours.size() * theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    for (std::size_t j = 0; j < theirs.size(); ++j) {
      const auto &a = ours[i], &b = theirs[j];
      if (a.size != b.size) throw DataError("mask", "of images of " + text_of(a.size) + " and " + text_of(b.size));
      if ((a.box & b.box).empty()) continue;
      const auto common = common_area(a, b);
      if (common == 0) continue;
      const auto all = crowd[j] ? a.area : a.area + b.area - common;
      result[i * theirs.size() + j] = static_cast<double>(common) / static_cast<double>(all);
    }
  return result;
}

std::vector<double> iou_of(const std::vector<cv::Rect2d>& predictions, const std::vector<cv::Rect2d>& truths,
                           const std::vector<bool>& crowd) {
  std::vector<double> result(predictions.size() * truths.size());
  for (std::size_t i = 0; i < predictions.size(); ++i)
    for (std::size_t j = 0; j < truths.size(); ++j) {
      const auto &a = predictions[i], &b = truths[j];
      const double width = std::min(a.width + a.x, b.width + b.x) - std::max(a.x, b.x);
      const double height = std::min(a.height + a.y, b.height + b.y) - std::max(a.y, b.y);
      if (width <= 0 || height <= 0) continue;
      const double common = width * height, area = a.width * a.height;
      result[i * truths.size() + j] = common / (crowd[j] ? area : area + b.width * b.height - common);
    }
  return result;
}

}  // namespace sectile
