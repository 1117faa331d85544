// How good predictions are. A metric streams: it keeps counts, never images.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <sectile/batch.h>
#include <sectile/component.h>

namespace sectile {

// What is compared with a prediction: the sample as the file has it, or, when the spec says `"evaluate_at": "input"`,
// as the transforms left it. The host brings predictions to the same size.
struct Truth {
  Sample sample{};
  at::Tensor labels{};  // sample.labels as a tensor, int64 […] or float [classes, …], on the prediction's device
  std::map<std::string, at::Tensor> targets{};  // sample.targets likewise: float [C, …] or int64 […]
};

struct MetricReport {
  enum class Better { higher, lower };
  struct Value {
    std::string name;
    double value;  // NaN: not defined on this data
    Better better = Better::higher;
  };
  struct Table {
    std::string name{};
    std::vector<std::string> rows{}, columns{};
    std::vector<std::vector<double>> cells{};  // [rows][columns]
  };
  std::vector<Value> values{};                   // the first one is the headline
  std::vector<std::string> columns{};            // of the table per class
  std::vector<std::vector<double>> per_class{};  // [classes][columns]; may be empty
  std::vector<Table> tables{};                   // more than that: a confusion matrix, a value per image
  std::string convention{};                      // whose rules were followed
};

class SECTILE_EXPORT Metric {
 public:
  virtual ~Metric();
  virtual Wanted wanted() const = 0;  // of the decoder
  virtual void update(const Prediction& prediction, const Truth& truth) = 0;
  virtual MetricReport compute() const = 0;

  // Everything counted so far, as tensors of any type and size; merge adds another metric's. One way for threads, for
  // ranks (the host gathers the tensors) and for a checkpoint in the middle of an evaluation.
  virtual std::vector<at::Tensor> state() const = 0;
  virtual void merge(const std::vector<at::Tensor>& state) = 0;
};

template <class T, class OwnOptions = NoOptions>
constexpr Component metric(const char* name, const char* summary) {
  return component<Metric, T, OwnOptions>(name, summary);
}

}  // namespace sectile
