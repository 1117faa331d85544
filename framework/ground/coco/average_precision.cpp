#include <sectile/data/average_precision.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <set>
#include <thread>

#include <sectile/error.h>

#include "average_precision.h"

namespace sectile {
namespace {

constexpr int kRecalls = 101;                                     // 0, 0.01, ..., 1
constexpr double kStep = std::numeric_limits<double>::epsilon();  // numpy's spacing(1), which pycocotools adds
constexpr double kNone = std::numeric_limits<double>::quiet_NaN();

ApOptions checked(ApOptions options) {
  constexpr std::size_t kMost = 32;  // bits of Found::matched
  const auto& thresholds = options.iou_thresholds;
  if (thresholds.empty() || thresholds.size() > kMost || !std::is_sorted(thresholds.begin(), thresholds.end()) ||
      !(thresholds.front() > 0) || !(thresholds.back() <= 1))
    throw DataError("average precision", "takes 1 to 32 ascending IoU thresholds above 0 and up to 1");
  const auto& limits = options.max_detections;
  if (limits.empty() || !std::is_sorted(limits.begin(), limits.end()) || limits.front() < 1)
    throw DataError("average precision", "takes at least one limit of detections, ascending and above 0");
  std::set<std::string> names{"all"};
  for (const auto& size : options.sizes) {
    if (!(size.least >= 0 && size.least <= size.most))
      throw DataError("size range " + size.name, "has a largest area below its smallest, or a smallest below 0");
    if (!names.insert(size.name).second)
      throw DataError("size range " + size.name, "has the name of another one; \"all\" is that of every size");
  }
  if (!(options.boundary_width > 0 && options.boundary_width < 1))
    throw DataError("average precision", "takes a boundary width above 0 and below 1, of the image's diagonal");
  options.sizes.insert(options.sizes.begin(), {"all", 0, 1e10});
  return options;
}

double mean(const std::vector<double>& values) {
  long double sum = 0;
  for (const double value : values) sum += value;
  return values.empty() ? kNone : static_cast<double>(sum / static_cast<long double>(values.size()));
}

}  // namespace

ApOptions::ApOptions()
    : max_detections{1, 10, 100}, sizes{{"small", 0, 32 * 32}, {"medium", 32 * 32, 96 * 96}, {"large", 96 * 96, 1e10}} {
  constexpr int kThresholds = 10;
  constexpr double kFirst = 0.5, kLast = 0.95;
  for (int i = 0; i + 1 < kThresholds; ++i)  // as numpy's linspace rounds
    iou_thresholds.push_back(kFirst + i * ((kLast - kFirst) / (kThresholds - 1)));
  iou_thresholds.push_back(kLast);
}

ApCounts::ApCounts(ApOptions wanted, int categories)
    : options(checked(std::move(wanted))), by_category(static_cast<std::size_t>(categories)) {
  for (auto& category : by_category) category.objects.assign(options.sizes.size(), 0);
}

void ApCounts::merge(const ApCounts& other) {
  for (std::size_t i = 0; i < by_category.size(); ++i) {
    auto& mine = by_category[i];
    const auto& theirs = other.by_category[i];
    for (std::size_t size = 0; size < mine.objects.size(); ++size) mine.objects[size] += theirs.objects[size];
    mine.found.insert(mine.found.end(), theirs.found.begin(), theirs.found.end());
    mine.outcomes.insert(mine.outcomes.end(), theirs.outcomes.begin(), theirs.outcomes.end());
  }
}

namespace {

struct Curve {
  double ap = 0;      // mean of the precision at 101 recalls
  double recall = 0;  // at the end
};

// One class, one range of sizes, one threshold.
class Accumulator {
 public:
  Accumulator(const ApCounts::Category& category, std::size_t sizes) : category_(category), sizes_(sizes) {
    const auto& found = category.found;
    order_.resize(found.size());
    std::iota(order_.begin(), order_.end(), 0u);
    std::sort(order_.begin(), order_.end(), [&](auto i, auto j) {
      const auto &a = found[i], &b = found[j];
      if (a.score != b.score) return a.score > b.score;
      if (a.key != b.key) return a.key < b.key;
      return a.rank < b.rank;
    });
  }

  Curve curve(std::size_t size, std::size_t threshold) {
    const auto objects = static_cast<double>(category_.objects[size]);
    recalls_.clear();
    precisions_.clear();
    double right = 0, wrong = 0;
    for (const auto index : order_) {
      const auto& outcome = category_.outcomes[index * sizes_ + size];
      if (outcome.ignored >> threshold & 1) continue;
      if (outcome.matched >> threshold & 1) {
        ++right;
        recalls_.push_back(right / objects);
        precisions_.push_back(right / (wrong + right + kStep));
      } else {
        ++wrong;
      }
    }
    // The best precision at this recall or a higher one.
    for (auto i = precisions_.size(); i-- > 1;) precisions_[i - 1] = std::max(precisions_[i - 1], precisions_[i]);
    double sum = 0;
    std::size_t at = 0;
    for (int i = 0; i < kRecalls; ++i) {
      const double recall = i + 1 == kRecalls ? 1 : i * (1. / (kRecalls - 1));
      while (at < recalls_.size() && recalls_[at] < recall) ++at;
      if (at == recalls_.size()) break;
      sum += precisions_[at];
    }
    return {sum / kRecalls, right / objects};
  }

  double recall(std::size_t size, std::size_t threshold, int max_detections) const {
    std::int64_t right = 0;
    for (std::size_t i = 0; i < category_.found.size(); ++i) {
      const auto& outcome = category_.outcomes[i * sizes_ + size];
      right += category_.found[i].rank < max_detections && (outcome.matched & ~outcome.ignored) >> threshold & 1;
    }
    return static_cast<double>(right) / static_cast<double>(category_.objects[size]);
  }

 private:
  const ApCounts::Category& category_;
  std::size_t sizes_;
  std::vector<std::uint32_t> order_;
  std::vector<double> recalls_, precisions_;
};

// Of one class: [sizes][thresholds], and recalls of all sizes: [limits][thresholds]. Empty: no objects.
struct ClassCurves {
  std::vector<std::vector<Curve>> by_size;
  std::vector<std::vector<double>> recalls;
};

ClassCurves curves_of(const ApCounts::Category& category, const ApOptions& options) {
  ClassCurves curves;
  curves.by_size.resize(options.sizes.size());
  if (category.objects[0] == 0) return curves;
  Accumulator accumulator(category, options.sizes.size());
  const auto thresholds = options.iou_thresholds.size();
  for (std::size_t size = 0; size < options.sizes.size(); ++size)
    for (std::size_t t = 0; category.objects[size] > 0 && t < thresholds; ++t)
      curves.by_size[size].push_back(accumulator.curve(size, t));
  for (const int limit : options.max_detections) {
    auto& row = curves.recalls.emplace_back();
    for (std::size_t t = 0; t < thresholds; ++t) row.push_back(accumulator.recall(0, t, limit));
  }
  return curves;
}

std::vector<ClassCurves> all_curves(const ApCounts& counts, int threads) {
  std::vector<ClassCurves> curves(counts.by_category.size());
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    for (std::size_t i = next++; i < curves.size(); i = next++)
      curves[i] = curves_of(counts.by_category[i], counts.options);
  };
  std::vector<std::jthread> others;
  for (int i = 1; i < std::min(threads, kMostThreads); ++i) others.emplace_back(work);
  work();
  return curves;
}

// The mean over classes and thresholds of what a class has.
template <class Values>
double mean_over(const std::vector<ClassCurves>& curves, const Values& values) {
  std::vector<double> all;
  for (const auto& one : curves) values(one, all);
  return mean(all);
}

std::optional<std::size_t> index_of(const std::vector<double>& thresholds, double wanted) {
  for (std::size_t i = 0; i < thresholds.size(); ++i)
    if (std::abs(thresholds[i] - wanted) < 1e-9) return i;
  return {};
}

}  // namespace

ApReport ApCounts::compute(int threads) const {
  const auto curves = all_curves(*this, threads);
  const auto ap_of = [&](std::size_t size, std::optional<std::size_t> only = {}) {
    return mean_over(curves, [&](const ClassCurves& one, std::vector<double>& all) {
      for (std::size_t t = 0; t < one.by_size[size].size(); ++t)
        if (!only || *only == t) all.push_back(one.by_size[size][t].ap);
    });
  };
  ApReport report;
  const auto half = index_of(options.iou_thresholds, 0.5), three_quarters = index_of(options.iou_thresholds, 0.75);
  report.ap = ap_of(0);
  report.ap50 = half ? ap_of(0, half) : kNone;
  report.ap75 = three_quarters ? ap_of(0, three_quarters) : kNone;
  for (std::size_t limit = 0; limit < options.max_detections.size(); ++limit) {
    const bool is_last = limit + 1 == options.max_detections.size();
    report.lines.push_back({"all", options.max_detections[limit], is_last ? report.ap : kNone,
                            mean_over(curves, [&](const ClassCurves& one, std::vector<double>& all) {
                              if (!one.recalls.empty())
                                all.insert(all.end(), one.recalls[limit].begin(), one.recalls[limit].end());
                            })});
  }
  for (std::size_t size = 1; size < options.sizes.size(); ++size)
    report.lines.push_back({options.sizes[size].name, options.max_detections.back(), ap_of(size),
                            mean_over(curves, [&](const ClassCurves& one, std::vector<double>& all) {
                              for (const auto& curve : one.by_size[size]) all.push_back(curve.recall);
                            })});
  for (std::size_t i = 0; i < curves.size(); ++i) {
    ApReport::PerClass one;
    one.objects = by_category[i].objects[0];
    one.detections = static_cast<std::int64_t>(by_category[i].found.size());
    const auto of = [&](std::size_t size, std::optional<std::size_t> only, bool recall) {
      std::vector<double> all;
      for (std::size_t t = 0; t < curves[i].by_size[size].size(); ++t)
        if (!only || *only == t)
          all.push_back(recall ? curves[i].by_size[size][t].recall : curves[i].by_size[size][t].ap);
      return mean(all);
    };
    one.ap = of(0, {}, false);
    one.ap50 = half ? of(0, half, false) : kNone;
    one.ap75 = three_quarters ? of(0, three_quarters, false) : kNone;
    one.ar = of(0, {}, true);
    for (std::size_t size = 1; size < options.sizes.size(); ++size) one.ap_by_size.push_back(of(size, {}, false));
    report.per_class.push_back(std::move(one));
  }
  return report;
}

std::vector<double> ApCounts::state() const {
  std::vector<double> numbers;
  for (const auto& category : by_category) {
    for (const auto objects : category.objects) numbers.push_back(static_cast<double>(objects));
    numbers.push_back(static_cast<double>(category.found.size()));
    for (const auto& found : category.found)
      numbers.insert(numbers.end(), {found.score, static_cast<double>(found.key), static_cast<double>(found.rank)});
    for (const auto& outcome : category.outcomes)
      numbers.insert(numbers.end(), {static_cast<double>(outcome.matched), static_cast<double>(outcome.ignored)});
  }
  return numbers;
}

void ApCounts::merge_state(const std::vector<double>& numbers) {
  std::size_t at = 0;
  const auto next = [&] {
    if (at == numbers.size()) throw DataError("average precision", "was given a state that is too short");
    return numbers[at++];
  };
  for (auto& category : by_category) {
    for (auto& objects : category.objects) objects += static_cast<std::int64_t>(next());
    const auto found = static_cast<std::size_t>(next());
    for (std::size_t i = 0; i < found; ++i) {
      const double score = next(), key = next(), rank = next();
      category.found.push_back({score, static_cast<std::int64_t>(key), static_cast<int>(rank)});
    }
    for (std::size_t i = 0; i < found * options.sizes.size(); ++i) {
      const double matched = next(), ignored = next();
      category.outcomes.push_back({static_cast<std::uint32_t>(matched), static_cast<std::uint32_t>(ignored)});
    }
  }
}

}  // namespace sectile
