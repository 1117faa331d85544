// Average precision of objects that a program holds.
#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include <sectile/data/boundary.h>
#include <sectile/error.h>

#include "average_precision.h"

namespace sectile {

int boundary_width_of(const ApOptions& options, const cv::Size& size) {
  return boundary_width(options.boundary_width, size);
}

struct AveragePrecision::Content {
  ApCounts counts;
  ImageMatcher matcher{counts};

  Content(ApOptions options, int categories) : counts(std::move(options), categories) {}

  ComparedObject shape(const ApObject& object) const {
    if (object.category < 0 || static_cast<std::size_t>(object.category) >= counts.by_category.size())
      throw DataError("average precision", "was given an object of class " + std::to_string(object.category) +
                                               ", and has " + std::to_string(counts.by_category.size()) + " classes");
    if (!std::isfinite(object.score) || !std::isfinite(object.area))
      throw DataError("average precision", "was given an object with a score or area that is not finite");
    ComparedObject made;
    made.crowd = object.crowd;
    made.score = object.score;
    made.area = object.area;
    made.box = object.box;
    if (counts.options.kind == ApKind::box) return made;
    made.region.assign(object.mask);
    if (counts.options.kind == ApKind::boundary)
      made.boundary = boundary_of(made.region, boundary_width_of(counts.options, object.mask.size));
    return made;
  }
};

AveragePrecision::AveragePrecision(ApOptions options, int categories)
    : content_(std::make_unique<Content>(std::move(options), categories)) {}
AveragePrecision::~AveragePrecision() = default;
AveragePrecision::AveragePrecision(AveragePrecision&&) noexcept = default;
AveragePrecision& AveragePrecision::operator=(AveragePrecision&&) noexcept = default;

void AveragePrecision::add(std::int64_t key, std::span<const ApObject> truths, std::span<const ApObject> detections) {
  std::vector<ComparedObject> shapes;
  shapes.reserve(truths.size() + detections.size());
  struct Group {
    std::vector<const ComparedObject*> truths, detections;
  };
  std::map<int, Group> groups;
  const cv::Size* size = nullptr;
  const auto add_shape = [&](const ApObject& object) {
    shapes.push_back(content_->shape(object));
    const auto& region = shapes.back().region;
    if (size && region.size != *size) throw DataError("average precision", "was given masks of different sizes");
    size = &region.size;
    return &shapes.back();
  };
  for (const auto& object : truths) groups[object.category].truths.push_back(add_shape(object));
  for (const auto& object : detections) groups[object.category].detections.push_back(add_shape(object));
  for (auto& [category, group] : groups) {
    auto& found = group.detections;
    std::stable_sort(found.begin(), found.end(), [](const auto* a, const auto* b) { return a->score > b->score; });
    const auto most = static_cast<std::size_t>(content_->counts.options.max_detections.back());
    if (found.size() > most) found.resize(most);
    content_->matcher.match(key, category, group.truths, found);
  }
}

void AveragePrecision::merge(const AveragePrecision& other) { content_->counts.merge(other.content_->counts); }
ApReport AveragePrecision::compute(int threads) const { return content_->counts.compute(threads); }
std::vector<double> AveragePrecision::state() const { return content_->counts.state(); }
void AveragePrecision::merge_state(const std::vector<double>& state) { content_->counts.merge_state(state); }

}  // namespace sectile
