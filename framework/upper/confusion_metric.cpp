#include <sectile/confusion_metric.h>

#include <cmath>
#include <cstdio>
#include <limits>
#include <utility>

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

#include <sectile/error.h>

namespace sectile {
namespace {

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();

std::string described(const at::Tensor& labels) {
  std::string text =
      labels.is_floating_point() || labels.scalar_type() == at::kBool ? "labels per class of" : "class numbers of";
  for (const auto size : labels.sizes()) text += " " + std::to_string(size);
  return text;
}

// Each image that is being counted may have a matrix of its own, so that its size is limited before it is made.
void refuse_too_many(const std::string& metric, std::int64_t classes) {
  constexpr std::int64_t kMost = 8192;  // 512 MiB
  if (classes <= kMost) return;
  constexpr double kGigabyte = 1e9;
  char size[32];
  std::snprintf(size, sizeof size, "%.1f GB",
                static_cast<double>(classes) * static_cast<double>(classes) * 8 / kGigabyte);
  throw DataError(metric, "counts pixels in a matrix of classes x classes, and the data has " +
                              std::to_string(classes) + " classes, for which it would take " + size +
                              "; expected at most " + std::to_string(kMost) +
                              ": merge classes, or choose another metric");
}

// Adjacent pixels are mostly equal: runs of equal pairs are counted and checked once.
void count(const at::Tensor& prediction, const at::Tensor& truth, at::Tensor& counts, const std::string& id) {
  const auto* predicted = prediction.const_data_ptr<std::int64_t>();
  const auto* wanted = truth.const_data_ptr<std::int64_t>();
  auto* to = counts.mutable_data_ptr<std::int64_t>();
  const auto total = truth.numel(), classes = counts.size(0);
  for (std::int64_t i = 0; i < total;) {
    const auto t = wanted[i], p = predicted[i];
    const auto start = i;
    do ++i;
    while (i < total && wanted[i] == t && predicted[i] == p);
    if (t == kIgnore) continue;
    if (t < 0 || t >= classes || p < 0 || p >= classes)
      throw DataError(id, "has a class number outside 0.." + std::to_string(classes - 1) + ": truth " +
                              std::to_string(t) + ", prediction " + std::to_string(p));
    to[t * classes + p] += i - start;
  }
}

void count_overlapping(const at::Tensor& prediction, const at::Tensor& truth, at::Tensor& counts) {
  const auto* predicted = prediction.const_data_ptr<bool>();
  const auto* wanted = truth.const_data_ptr<float>();
  auto* to = counts.mutable_data_ptr<std::int64_t>();
  const auto classes = counts.size(0), pixels = truth.numel() / classes;
  for (std::int64_t c = 0; c < classes; ++c, to += 4)
    for (std::int64_t i = 0; i < pixels; ++i, ++wanted, ++predicted)
      if (*wanted >= 0) ++to[(*wanted >= 0.5f) * 2 + *predicted];
}

}  // namespace

ConfusionMetric::ConfusionMetric(std::string name, const BuildContext& context)
    : name_(std::move(name)), overlapping_(context.labels && context.labels->overlapping) {
  const std::int64_t classes = context.classes();
  for (const auto& one : context.labels->classes) classes_.push_back(one.name);
  if (!overlapping_) refuse_too_many(name_, classes);
  counts_ = overlapping_ ? at::zeros({classes, 2, 2}, at::kLong) : at::zeros({classes, classes}, at::kLong);
}

Wanted ConfusionMetric::wanted() const { return {.labels = true, .overlapping = overlapping_}; }

void ConfusionMetric::update(const Prediction& prediction, const Truth& truth) {
  if (!truth.labels.defined()) return;
  if (!prediction.labels.defined()) throw PluginError(name_, "the prediction has no labels");
  if (truth.labels.is_floating_point() != overlapping_ || prediction.labels.sizes() != truth.labels.sizes())
    throw DataError(prediction.id, "prediction and truth do not fit: " + described(prediction.labels) + " and " +
                                       described(truth.labels));
  if (overlapping_)
    count_overlapping(prediction.labels.cpu().to(at::kBool).contiguous(),
                      truth.labels.cpu().to(at::kFloat).contiguous(), counts_);
  else
    count(prediction.labels.cpu().to(at::kLong).contiguous(), truth.labels.cpu().to(at::kLong).contiguous(), counts_,
          prediction.id);
}

std::vector<at::Tensor> ConfusionMetric::state() const { return {counts_.clone()}; }

void ConfusionMetric::merge(const std::vector<at::Tensor>& state) {
  if (state.size() != 1 || state.front().sizes() != counts_.sizes())
    throw PluginError(name_, "was given the state of another metric, or of other classes");
  counts_ += state.front().to(at::kCPU);
}

std::vector<ConfusionMetric::Counts> ConfusionMetric::per_class() const { return per_class(counts_); }

std::vector<ConfusionMetric::Counts> ConfusionMetric::per_class(const at::Tensor& matrix) const {
  const auto* from = matrix.const_data_ptr<std::int64_t>();
  const auto classes = static_cast<std::size_t>(matrix.size(0));
  std::vector<Counts> all(classes);
  if (overlapping_) {
    for (std::size_t c = 0; c < classes; ++c, from += 4)
      all[c] = {
          .true_positive = from[3], .false_positive = from[1], .false_negative = from[2], .true_negative = from[0]};
    return all;
  }
  std::int64_t total = 0;
  for (std::size_t t = 0; t < classes; ++t)
    for (std::size_t p = 0; p < classes; ++p) {
      const auto pixels = from[t * classes + p];
      total += pixels;
      if (t == p)
        all[t].true_positive += pixels;
      else
        all[t].false_negative += pixels, all[p].false_positive += pixels;
    }
  for (auto& one : all) one.true_negative = total - one.truth() - one.false_positive;
  return all;
}

MetricReport::Table ConfusionMetric::table() const {
  if (overlapping_) return {};
  MetricReport::Table made{
      .name = "confusion matrix (truth in rows)", .rows = classes_, .columns = classes_, .cells = {}};
  const auto* from = counts_.const_data_ptr<std::int64_t>();
  for (std::size_t t = 0; t < classes_.size(); ++t, from += classes_.size())
    made.cells.emplace_back(from, from + classes_.size());
  return made;
}

double ConfusionMetric::ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? kUndefined : static_cast<double>(part) / static_cast<double>(whole);
}

double ConfusionMetric::mean(const std::vector<double>& of_classes) {
  double sum = 0;
  std::int64_t defined = 0;
  for (const double value : of_classes)
    if (!std::isnan(value)) sum += value, ++defined;
  return defined == 0 ? kUndefined : sum / static_cast<double>(defined);
}

}  // namespace sectile
