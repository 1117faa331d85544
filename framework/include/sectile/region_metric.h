// Metrics that compare a class's predicted and true pixels: IoU and Dice. Packages disagree on classes that are absent,
// on means over images, and on the background; this base knows their rules.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include <sectile/confusion_metric.h>
#include <sectile/exact_sum.h>

namespace sectile {

struct SECTILE_EXPORT RegionMetricOptions {
  enum class Preset { mmseg, detectron2, torchvision, paddleseg, smp, nnunet, monai };
  enum class Over { set, image };
  enum class Reduction { micro, macro, micro_imagewise, macro_imagewise };
  enum class Absent { skip, nan, one, zero };
  enum class FalseAlarm { zero, skip };
  enum class Mean { all, truth };
  enum class First { classes, images };
  enum class Nothing { nan, zero };

  Preset preset = Preset::mmseg;
  std::optional<Over> over;
  std::optional<Reduction> reduction;
  std::optional<Absent> absent;
  std::optional<FalseAlarm> false_alarm;
  std::optional<Mean> mean;
  std::optional<First> average_first;
  std::optional<Nothing> nothing;
  std::optional<bool> include_background;
  std::vector<std::string> exclude{};

  void declare(Options& options);
  void check(Problems& problems) const;
};

class SECTILE_EXPORT RegionMetric : public ConfusionMetric {
 public:
  // How a metric is named, and its formula in words.
  struct Names {
    std::string type, value, formula;
  };

  void update(const Prediction& prediction, const Truth& truth) final;
  MetricReport compute() const final;
  std::vector<at::Tensor> state() const final;
  void merge(const std::vector<at::Tensor>& state) final;

 protected:
  RegionMetric(Names names, const RegionMetricOptions& options, const BuildContext& context);

  // Of a class with at least one pixel in truth or prediction.
  virtual double value(const Counts& counts) const = 0;

 private:
  // The options with what the preset says where nothing is given.
  struct Rule {
    bool per_image, pooled;
    RegionMetricOptions::Absent absent;
    RegionMetricOptions::FalseAlarm false_alarm;
    RegionMetricOptions::Mean mean;
    RegionMetricOptions::First first;
    RegionMetricOptions::Nothing nothing;
    explicit Rule(const RegionMetricOptions& options);
  };
  friend struct RegionMetricOptions;

  double by_rule(const Counts& counts) const;  // NaN: no value
  double over_classes(const std::vector<double>& values, const std::vector<Counts>& counts) const;
  double pooled(const std::vector<Counts>& classes) const;
  double main_value(const std::vector<double>& values, const std::vector<Counts>& counts) const;
  std::string convention(const RegionMetricOptions& options) const;

  const Names names_;
  const Rule rule_;
  std::vector<char> counts_in_mean_;  // per class
  std::string convention_;
  std::vector<ExactSum> of_classes_;  // over images, if the rule says so
  ExactSum of_images_;
};

}  // namespace sectile
