// Evaluation metrics. A metric accumulates counts, it never stores images.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <sectile/batch.h>
#include <sectile/component.h>

namespace sectile {

// What a prediction is compared with: the sample as stored in the file, or, if the spec says `"evaluate_at": "input"`,
// after the transforms. The host resizes predictions to the same size.
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
  std::vector<Value> values{};                   // the first one is the main one
  std::vector<std::string> columns{};            // of the table per class
  std::vector<std::vector<double>> per_class{};  // [classes][columns]; may be empty
  std::vector<Table> tables{};                   // further tables: a confusion matrix, a value per image
  std::string convention{};                      // which convention the values follow
};

class SECTILE_EXPORT Metric {
 public:
  virtual ~Metric();
  virtual Wanted wanted() const = 0;  // of the decoder
  virtual void update(const Prediction& prediction, const Truth& truth) = 0;
  virtual MetricReport compute() const = 0;

  // Everything counted so far, as tensors of any type and size; merge adds the state of another metric. Used for
  // threads, for ranks (the host gathers the tensors) and for a checkpoint during an evaluation.
  virtual std::vector<at::Tensor> state() const = 0;
  virtual void merge(const std::vector<at::Tensor>& state) = 0;
};

template <class T, class OwnOptions = NoOptions>
constexpr Component metric(const char* name, const char* summary) {
  return component<Metric, T, OwnOptions>(name, summary);
}

}  // namespace sectile
