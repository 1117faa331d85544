// A trained network against annotated images.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sectile/metric.h>

#include "ensemble.h"

namespace sectile {

struct Evaluation {
  std::vector<std::pair<std::string, MetricReport>> reports;  // metric's name and what it says, in the spec's order
  std::size_t images = 0;
  double seconds = 0;
  std::vector<std::string> bad_samples;  // what was wrong with those that the spec lets skip

  // The first value of the first metric. Not a number where there is none.
  const MetricReport::Value& headline() const { return reports.front().second.values.front(); }
};

// Throws PluginError naming the metric for a report whose tables do not fit their rows and columns.
void check_report(const std::string& metric, const MetricReport& report, std::size_t classes);

// Sees every image that an evaluation measures, from the thread that evaluates.
class EvaluationObserver {
 public:
  virtual ~EvaluationObserver() = default;
  virtual void image(std::size_t index, const Prediction& prediction, const Truth& truth) = 0;
};

// Reads with the spec's number of loader threads. `progress` is called after each image, from the calling thread;
// what it throws ends the evaluation.
Evaluation evaluate(const Ensemble& ensemble, const SampleSource& source,
                    const std::function<void(std::size_t done, std::size_t all)>& progress = {},
                    const std::vector<EvaluationObserver*>& observers = {});

}  // namespace sectile
