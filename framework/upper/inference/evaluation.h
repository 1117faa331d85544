// Evaluating a trained network on annotated images.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sectile/metric.h>

#include "ensemble.h"

namespace sectile {

struct Evaluation {
  std::vector<std::pair<std::string, MetricReport>> reports;  // by metric_names, in the order of the spec
  std::size_t images = 0;
  double seconds = 0;
  std::size_t cut_off = 0;               // images of which the transforms cut off pixels, which do not count
  std::vector<std::string> bad_samples;  // errors of the samples that were skipped

  // The first value of the first metric; NaN if there is none.
  const MetricReport::Value& headline() const { return reports.front().second.values.front(); }
};

// Before a long run: throws DataError where metrics compare masks, and one of the first samples has an object without.
void refuse_objects_without_masks(const Network& network, const SampleSource& source);

// How reports name the metrics of a spec: by type, and if a type occurs again, "iou_2" and so on.
std::vector<std::string> metric_names(const PipelineSpec& spec);

// Throws PluginError naming the metric for a report whose tables do not fit their rows and columns, and for names that
// occur twice.
void check_report(const std::string& metric, const MetricReport& report, std::size_t classes);

// Called for every evaluated image, from the thread that evaluates.
class EvaluationObserver {
 public:
  virtual ~EvaluationObserver() = default;
  virtual void image(std::size_t index, const Prediction& prediction, const Truth& truth) = 0;
};

// Uses the spec's number of loader threads. `progress` is called after each image, from the calling thread; an
// exception from it ends the evaluation.
Evaluation evaluate(const Ensemble& ensemble, const SampleSource& source,
                    const std::function<void(std::size_t done, std::size_t all)>& progress = {},
                    const std::vector<EvaluationObserver*>& observers = {});

}  // namespace sectile
