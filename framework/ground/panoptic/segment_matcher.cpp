#include "segment_matcher.h"

#include <algorithm>
#include <cmath>

#include <sectile/error.h>

namespace sectile {
namespace {

constexpr int kLowBits = 26;
constexpr double kQuantum = 0x1p-53;

std::string sizes_text(const cv::Mat& map) {
  std::string text;
  for (int i = 0; i < map.dims; ++i) text += (i ? " x " : "") + std::to_string(map.size[i]);
  return text;
}

[[noreturn]] void refuse(const std::string& message) { throw DataError("panoptic quality", message); }

}  // namespace

void PanopticCounts::add_match(double iou) {
  const auto quanta = static_cast<std::int64_t>(iou / kQuantum);  // exact
  ++true_positive;
  iou_high += quanta >> kLowBits;
  iou_low += quanta & ((std::int64_t{1} << kLowBits) - 1);
}

double PanopticCounts::iou() const {
  // Whole numbers beyond 2^53 are rounded once, when the two halves, of which each is exact, are added.
  const auto carried = iou_high + (iou_low >> kLowBits);
  const auto rest = iou_low & ((std::int64_t{1} << kLowBits) - 1);
  return (std::ldexp(static_cast<double>(carried), kLowBits) + static_cast<double>(rest)) * kQuantum;
}

void PanopticCounts::add(std::span<const std::int64_t, kNumbers> numbers) {
  true_positive += numbers[0];
  false_positive += numbers[1];
  false_negative += numbers[2];
  iou_high += numbers[3];
  iou_low += numbers[4];
}

std::string listed_ids(std::span<const std::int32_t> ids) {
  constexpr std::size_t kMost = 5;
  std::string text;
  for (std::size_t i = 0; i < std::min(kMost, ids.size()); ++i) text += (i ? ", " : "") + std::to_string(ids[i]);
  return ids.size() <= kMost ? text : text + " and " + std::to_string(ids.size() - kMost) + " more";
}

void SegmentList::assign(std::span<const Segment> all, int categories, const char* what) {
  segments = all;
  found.assign(all.size(), {});
  unlisted.clear();
  by_id_.clear();
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (all[i].category < 0 || all[i].category >= categories)
      refuse(std::string("a ")
                 .append(what)
                 .append(" segment has class number ")
                 .append(std::to_string(all[i].category))
                 .append(", and there are ")
                 .append(std::to_string(categories))
                 .append(" classes"));
    if (all[i].id == 0) refuse(std::string("a ").append(what).append(" segment has the id 0, which is void"));
    by_id_.emplace_back(all[i].id, static_cast<int>(i));
  }
  std::sort(by_id_.begin(), by_id_.end());
  const auto twice =
      std::adjacent_find(by_id_.begin(), by_id_.end(), [](const auto& a, const auto& b) { return a.first == b.first; });
  if (twice != by_id_.end())
    refuse(std::string("two ").append(what).append(" segments have the id ").append(std::to_string(twice->first)));
}

int SegmentList::find(std::int32_t id) const {
  const auto at = std::lower_bound(by_id_.begin(), by_id_.end(), std::pair(id, 0));
  return at != by_id_.end() && at->first == id ? at->second : -1;
}

std::vector<std::int32_t> SegmentList::without_pixels() const {
  std::vector<std::int32_t> ids;
  for (std::size_t i = 0; i < found.size(); ++i)
    if (found[i].area == 0) ids.push_back(segments[i].id);
  return ids;
}

void SegmentMatcher::compare(const cv::Mat& truth_ids, std::span<const Segment> truths, const cv::Mat& found_ids,
                             std::span<const Segment> found, int categories) {
  if ((!truth_ids.empty() && truth_ids.type() != CV_32S) || (!found_ids.empty() && found_ids.type() != CV_32S))
    refuse("compares maps of 32-bit segment ids (CV_32S), and was given another type");
  if (truth_ids.size != found_ids.size)
    refuse("the truth has " + sizes_text(truth_ids) + " pixels, and the prediction " + sizes_text(found_ids));
  truths_.assign(truths, categories, "true");
  found_.assign(found, categories, "predicted");
  pairs_.clear();
  crowds_.assign(static_cast<std::size_t>(categories), -1);
  const auto take = [](SegmentList& list, std::int32_t id, int position, std::int64_t pixels) {
    if (position >= 0)
      list.found[static_cast<std::size_t>(position)].area += pixels;
    else if (id != 0)
      list.unlisted.push_back(id);
  };
  for (const auto& pair : table_.count(truth_ids, found_ids)) {
    const int t = truths_.find(pair.truth), f = found_.find(pair.found);
    take(truths_, pair.truth, t, pair.pixels);
    take(found_, pair.found, f, pair.pixels);
    if (t >= 0 && f >= 0) pairs_.push_back({t, f, pair.pixels});
    if (f >= 0 && pair.truth == 0) found_.found[static_cast<std::size_t>(f)].on_void += pair.pixels;
  }
  for (auto* list : {&truths_, &found_}) {
    std::sort(list->unlisted.begin(), list->unlisted.end());
    list->unlisted.erase(std::unique(list->unlisted.begin(), list->unlisted.end()), list->unlisted.end());
  }
}

void SegmentMatcher::match(std::vector<PanopticCounts>& counts) {
  const auto place = [](int position) { return static_cast<std::size_t>(position); };
  for (std::size_t t = 0; t < truths_.segments.size(); ++t)
    if (truths_.segments[t].crowd && truths_.found[t].area > 0)
      crowds_[place(truths_.segments[t].category)] = static_cast<int>(t);
  for (const auto& [t, f, pixels] : pairs_) {
    const auto &truth = truths_.segments[place(t)], &found = found_.segments[place(f)];
    auto &of_truth = truths_.found[place(t)], &of_found = found_.found[place(f)];
    if (crowds_[place(found.category)] == t) of_found.ignored += pixels;
    if (truth.crowd || truth.category != found.category) continue;
    const auto joined = of_truth.area + of_found.area - pixels - of_found.on_void;
    if (2 * pixels <= joined) continue;
    of_truth.matched = of_found.matched = true;
    counts[place(truth.category)].add_match(static_cast<double>(pixels) / static_cast<double>(joined));
  }
  for (std::size_t t = 0; t < truths_.segments.size(); ++t)
    if (!truths_.segments[t].crowd && truths_.found[t].area > 0 && !truths_.found[t].matched)
      ++counts[place(truths_.segments[t].category)].false_negative;
  for (std::size_t f = 0; f < found_.segments.size(); ++f) {
    const auto& one = found_.found[f];
    if (one.matched || one.area == 0 || 2 * (one.ignored + one.on_void) > one.area) continue;
    ++counts[place(found_.segments[f].category)].false_positive;
  }
}

}  // namespace sectile
