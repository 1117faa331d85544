#include <sectile/data/panoptic_quality.h>

#include <limits>

#include <sectile/error.h>

#include "segment_matcher.h"

namespace sectile {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

PanopticReport::PerCategory quality_of(const PanopticCounts& counts) {
  PanopticReport::PerCategory made{
      kUndefined, kUndefined, kUndefined, counts.true_positive, counts.false_positive, counts.false_negative};
  const auto right = static_cast<double>(counts.true_positive);
  const double all =
      right + 0.5 * static_cast<double>(counts.false_positive) + 0.5 * static_cast<double>(counts.false_negative);
  if (all == 0) return made;
  const double iou = counts.iou();
  made.pq = iou / all;
  made.sq = counts.true_positive ? iou / right : 0;
  made.rq = right / all;
  return made;
}

void add(PanopticReport::Mean& mean, const PanopticReport::PerCategory& one) {
  mean.pq += one.pq;
  mean.sq += one.sq;
  mean.rq += one.rq;
  ++mean.categories;
}

void finish(PanopticReport::Mean& mean) {  // 0 / 0 is NaN
  mean.pq /= mean.categories;
  mean.sq /= mean.categories;
  mean.rq /= mean.categories;
}

void refuse_unlisted(const SegmentList& list, const char* whose) {
  if (list.unlisted.empty()) return;
  throw DataError("panoptic quality", std::string("the ")
                                          .append(whose)
                                          .append(" has pixels of segments that are not listed, with the ids ")
                                          .append(listed_ids(list.unlisted)));
}

}  // namespace

struct PanopticQuality::Content {
  std::vector<bool> things;
  std::vector<PanopticCounts> counts;
  SegmentMatcher matcher{};
};

PanopticQuality::PanopticQuality(std::vector<bool> things)
    : content_(std::make_unique<Content>(things, std::vector<PanopticCounts>(things.size()))) {}
PanopticQuality::~PanopticQuality() = default;
PanopticQuality::PanopticQuality(PanopticQuality&&) noexcept = default;
PanopticQuality& PanopticQuality::operator=(PanopticQuality&&) noexcept = default;

void PanopticQuality::add(const cv::Mat& truth_ids, std::span<const Segment> truths, const cv::Mat& found_ids,
                          std::span<const Segment> found) {
  auto& matcher = content_->matcher;
  matcher.compare(truth_ids, truths, found_ids, found, static_cast<int>(content_->counts.size()));
  refuse_unlisted(matcher.truths(), "truth");
  refuse_unlisted(matcher.found(), "prediction");
  matcher.match(content_->counts);
}

void PanopticQuality::merge(const PanopticQuality& other) { merge_state(other.state()); }

std::vector<std::int64_t> PanopticQuality::state() const {
  std::vector<std::int64_t> all;
  all.reserve(content_->counts.size() * PanopticCounts::kNumbers);
  for (const auto& one : content_->counts)
    for (const auto number : one.numbers()) all.push_back(number);
  return all;
}

void PanopticQuality::merge_state(std::span<const std::int64_t> state) {
  constexpr auto kNumbers = PanopticCounts::kNumbers;
  if (state.size() != content_->counts.size() * kNumbers)
    throw DataError("panoptic quality", "was given the counts of other classes: " + std::to_string(state.size()) +
                                            " numbers, expected " + std::to_string(content_->counts.size() * kNumbers));
  for (std::size_t c = 0; c < content_->counts.size(); ++c)
    content_->counts[c].add(state.subspan(c * kNumbers).first<kNumbers>());
}

PanopticReport PanopticQuality::compute() const {
  PanopticReport report;
  for (std::size_t c = 0; c < content_->counts.size(); ++c) {
    const auto one = quality_of(content_->counts[c]);
    report.per_category.push_back(one);
    if (one.true_positive + one.false_positive + one.false_negative == 0) continue;
    sectile::add(report.all, one);
    sectile::add(content_->things[c] ? report.things : report.stuff, one);
  }
  for (auto* mean : {&report.all, &report.things, &report.stuff}) finish(*mean);
  return report;
}

}  // namespace sectile
