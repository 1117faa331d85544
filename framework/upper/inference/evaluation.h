// A trained network against annotated pictures.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include <sectile/metric.h>

#include "../training/pipeline.h"

namespace sectile {

struct Evaluation {
  std::vector<std::pair<std::string, MetricReport>> reports;  // metric's name and what it says, in the spec's order
  std::size_t pictures = 0;
  double seconds = 0;
  std::vector<std::string> bad_samples;  // what was wrong with those that the spec lets skip

  // The first value of the first metric. Not a number where there is none.
  const MetricReport::Value& headline() const { return reports.front().second.values.front(); }
};

// Reads with the spec's number of loader threads. `progress` is called after each picture, from the calling thread;
// what it throws ends the evaluation.
Evaluation evaluate(const Pipeline& pipeline, const SampleSource& source,
                    const std::function<void(std::size_t done, std::size_t all)>& progress = {});

}  // namespace sectile
