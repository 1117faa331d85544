#include "best_by.h"

#include <cmath>
#include <limits>

#include <sectile/error.h>

#include "../../ground/component_call.h"

namespace sectile {

void refuse_without_evaluations(const PipelineSpec& spec, const Schedule& schedule) {
  if (spec.data.val) return;
  std::vector<Problem> problems;
  const auto wants = [&](const char* pointer, bool wanted) {
    if (wanted) problems.push_back({pointer, "needs evaluations, which need /data/val"});
  };
  wants("/schedule", schedule.wants_evaluations());
  wants("/train/early_stopping", spec.train.early_stopping.has_value());
  wants("/train/best_metric", !spec.train.best_metric.empty());
  if (!problems.empty()) throw SpecError(std::move(problems));
}

BestBy::BestBy(const Pipeline& pipeline) : options_(pipeline.spec.train), name_(options_.best_metric) {
  std::string known;
  const auto names = metric_names(pipeline.spec);
  std::size_t i = 0;
  for (const auto& metric : pipeline.metrics()) {
    const auto& type = names[i++];
    const auto report = call<PluginError>(place_of(metric), "", [&] { return metric->compute(); });
    for (const auto& value : report.values) {
      const auto full = type + "/" + value.name;
      if (name_.empty()) name_ = full;
      if (name_ == full) {
        higher_ = options_.best_is ? *options_.best_is == PipelineSpec::Best::max
                                   : value.better == MetricReport::Better::higher;
        return;
      }
      known += (known.empty() ? "" : ", ") + full;
    }
  }
  throw SpecError("/train/best_metric", "no metric of this spec gives \"" + name_ + "\"; there are: " + known);
}

double BestBy::value(const Evaluation& evaluation) const {
  for (const auto& [type, report] : evaluation.reports)
    for (const auto& value : report.values)
      if (type + "/" + value.name == name_) return value.value;
  return std::numeric_limits<double>::quiet_NaN();
}

bool BestBy::better(double value, std::optional<double> than, double by) const {
  if (!std::isfinite(value)) return false;
  return !than || (higher_ ? value > *than + by : value < *than - by);
}

bool BestBy::stops_early(const std::vector<double>& evaluations) const {
  if (!options_.early_stopping) return false;
  std::optional<double> best;
  int without = 0;
  for (const double value : evaluations) {
    const bool improved = better(value, best, options_.early_stopping->min_delta);
    if (improved) best = value;
    without = improved ? 0 : without + 1;
  }
  return without >= options_.early_stopping->patience;
}

}  // namespace sectile
