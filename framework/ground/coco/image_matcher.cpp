#include <algorithm>
#include <cmath>

#include "average_precision.h"

namespace sectile {
namespace {

double overlap(const cv::Rect2d& a, const cv::Rect2d& b) {
  const double width = std::min(a.width + a.x, b.width + b.x) - std::max(a.x, b.x);
  const double height = std::min(a.height + a.y, b.height + b.y) - std::max(a.y, b.y);
  return width <= 0 || height <= 0 ? 0 : width * height;
}

double region_iou(const MaskIntervals& detection, const MaskIntervals& truth, bool crowd) {
  const auto common = common_area(detection, truth);
  if (common == 0) return 0;
  const auto all = crowd ? detection.area : detection.area + truth.area - common;
  return static_cast<double>(common) / static_cast<double>(all);
}

}  // namespace

// 0 where it is below every threshold.
double ImageMatcher::iou(const ComparedObject& detection, const ComparedObject& truth) const {
  const auto kind = counts_.options.kind;
  if (kind == ApKind::box) {
    const double common = overlap(detection.box, truth.box);
    if (common == 0) return 0;
    const double area = detection.box.width * detection.box.height;
    return common / (truth.crowd ? area : area + truth.box.width * truth.box.height - common);
  }
  const auto &mine = detection.region, &other = truth.region;
  // No more pixels can be common than the smaller mask and the overlap of the boxes have.
  const auto most = std::min({overlap(mine.box, other.box), double(mine.area), double(other.area)});
  const double least = std::min(counts_.options.iou_thresholds.front(), 1 - 1e-10);
  const double all = truth.crowd ? double(mine.area) : double(mine.area) + double(other.area) - most;
  if (most <= 0 || most < least * all * (1 - 1e-9)) return 0;
  const double iou = region_iou(mine, other, truth.crowd);
  return kind == ApKind::mask ? iou : std::min(iou, region_iou(detection.boundary, truth.boundary, truth.crowd));
}

void ImageMatcher::find_candidates(const std::vector<const ComparedObject*>& truths,
                                   const std::vector<const ComparedObject*>& detections) {
  candidates_.clear();
  first_.clear();
  const double least = std::min(counts_.options.iou_thresholds.front(), 1 - 1e-10);
  for (const auto* detection : detections) {
    first_.push_back(candidates_.size());
    for (std::size_t i = 0; i < truths.size(); ++i)
      if (const double value = iou(*detection, *truths[i]); value >= least)
        candidates_.push_back({static_cast<int>(i), value});
  }
  first_.push_back(candidates_.size());
}

void ImageMatcher::match(std::int64_t key, int number, const std::vector<const ComparedObject*>& truths,
                         const std::vector<const ComparedObject*>& detections) {
  const auto& options = counts_.options;
  auto& category = counts_.by_category[static_cast<std::size_t>(number)];
  const auto sizes = options.sizes.size();
  const auto first_outcome = category.outcomes.size();
  for (std::size_t i = 0; i < detections.size(); ++i)
    category.found.push_back({detections[i]->score, key, static_cast<int>(i)});
  category.outcomes.resize(first_outcome + detections.size() * sizes, {0, 0});
  find_candidates(truths, detections);
  const auto every = static_cast<std::uint32_t>((std::uint64_t{1} << options.iou_thresholds.size()) - 1);
  for (std::size_t size = 0; size < sizes; ++size) {
    const auto& range = options.sizes[size];
    const auto is_outside = [&](double area) { return area < range.least || area > range.most; };
    ignored_.clear();
    taken_.assign(truths.size(), 0);
    for (const auto* truth : truths) {
      ignored_.push_back(truth->crowd || is_outside(truth->area));
      category.objects[size] += !ignored_.back();
    }
    for (std::size_t i = 0; i < detections.size(); ++i) {
      auto& outcome = category.outcomes[first_outcome + i * sizes + size];
      for (std::size_t t = 0; first_[i] != first_[i + 1] && t < options.iou_thresholds.size(); ++t) {
        // The object with the largest IoU that is not taken, in the file's order the last of equal ones; objects that
        // do not count only where there is no other.
        double best_iou = std::min(options.iou_thresholds[t], 1 - 1e-10);
        int best = -1;
        for (const bool of_ignored : {false, true}) {
          if (best >= 0) break;
          for (auto at = first_[i]; at < first_[i + 1]; ++at) {
            const auto [truth, value] = candidates_[at];
            const auto index = static_cast<std::size_t>(truth);
            if (static_cast<bool>(ignored_[index]) != of_ignored || value < best_iou) continue;
            if ((taken_[index] >> t & 1) && !truths[index]->crowd) continue;
            best_iou = value;
            best = truth;
          }
        }
        if (best < 0) continue;
        const auto bit = std::uint32_t{1} << t;
        outcome.matched |= bit;
        taken_[static_cast<std::size_t>(best)] |= bit;
        if (ignored_[static_cast<std::size_t>(best)]) outcome.ignored |= bit;
      }
      if (is_outside(detections[i]->area)) outcome.ignored |= every & ~outcome.matched;
    }
  }
}

}  // namespace sectile
