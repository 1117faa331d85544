// Expected and maximum calibration error (Guo et al., "On calibration of modern neural networks", ICML 2017,
// arXiv:1706.04599).
#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include <ATen/core/Tensor.h>
#include <ATen/ops/tensor.h>

#include <sectile/context.h>
#include <sectile/error.h>
#include <sectile/exact_sum.h>
#include <sectile/metric.h>

namespace {

using sectile::DataError;
using sectile::ExactSum;
using sectile::MetricReport;

constexpr double kUndefined = std::numeric_limits<double>::quiet_NaN();
constexpr float kRounding = 1e-4f;  // of a softmax in 16 bits

struct CalibrationOptions {
  int bins = 15;

  void declare(sectile::Options& options) {
    options
        .add("bins", &bins,
             "Into how many ranges of equal width the confidences from 0 to 1 are sorted. Bin k of n holds those above "
             "(k - 1) / n and up to k / n; the first one also holds 0. A pixel's confidence is its largest "
             "probability; if "
             "classes overlap, that of each class.")
        .at_least(1)
        .at_most(10000);
  }
};

// Pixels whose confidence is in one range.
struct Bin {
  ExactSum confidence{};
  std::int64_t right = 0;

  std::int64_t pixels() const { return confidence.finite(); }
  double gap() const {  // of mean confidence and accuracy, x pixels
    return std::abs(confidence.sum() - static_cast<double>(right));
  }
  void add(const Bin& other) {
    confidence.merge(other.confidence);
    right += other.right;
  }
};

// Of some bins: all of the data's, or those of a class.
struct Errors {
  double expected = 0, maximum = 0, confidence = 0, accuracy = 0;
  std::int64_t pixels = 0;

  explicit Errors(const std::vector<Bin>& bins) {
    Bin all;
    for (const auto& bin : bins) {
      all.add(bin);
      expected += bin.gap();
      if (bin.pixels() > 0) maximum = std::max(maximum, bin.gap() / static_cast<double>(bin.pixels()));
    }
    pixels = all.pixels();
    if (pixels == 0) {
      expected = maximum = confidence = accuracy = kUndefined;
      return;
    }
    const auto whole = static_cast<double>(pixels);
    expected /= whole;
    confidence = all.confidence.sum() / whole;
    accuracy = static_cast<double>(all.right) / whole;
  }
};

class Calibration final : public sectile::Metric {
 public:
  Calibration(const CalibrationOptions& options, const sectile::BuildContext& context)
      : bins_(options.bins), overlapping_(context.labels && context.labels->overlapping) {
    counts_.assign(static_cast<std::size_t>(context.classes()), Bins(static_cast<std::size_t>(options.bins)));
  }

  sectile::Wanted wanted() const override { return {.scores = true, .overlapping = overlapping_}; }

  void update(const sectile::Prediction& prediction, const sectile::Truth& truth) override {
    if (!truth.labels.defined()) return;
    if (!prediction.scores.defined()) throw sectile::PluginError("calibration", "the prediction has no class scores");
    const auto classes = static_cast<std::int64_t>(counts_.size());
    const auto sizes = prediction.scores.sizes();
    const bool fits = prediction.scores.dim() > 1 && sizes[0] == classes &&
                      truth.labels.is_floating_point() == overlapping_ &&
                      truth.labels.sizes() == (overlapping_ ? sizes : sizes.slice(1));
    if (!fits)
      throw DataError(prediction.id, "scores of the prediction [" + text(sizes) + "] and labels of the truth [" +
                                         text(truth.labels.sizes()) + "] do not fit: expected " +
                                         std::to_string(classes) + " classes of the same size");
    const auto scores = prediction.scores.to(at::kCPU, at::kFloat).contiguous();
    const auto* from = scores.const_data_ptr<float>();
    const auto pixels = scores.numel() / classes;
    if (overlapping_)
      add_each(from, truth.labels.to(at::kCPU, at::kFloat).contiguous(), pixels, prediction.id);
    else
      add_top(from, truth.labels.to(at::kCPU, at::kLong).contiguous(), pixels, prediction.id);
  }

  MetricReport compute() const override {
    MetricReport report;
    report.convention =
        "Guo et al. 2017: pixels are sorted by confidence into " + std::to_string(bins_) +
        " bins of equal width, open below and closed above. ECE: sum over bins of their share of the pixels x "
        "|accuracy "
        "- mean confidence|; MCE: the largest such difference of a bin with pixels. " +
        (overlapping_
             ? "Classes overlap: the confidence is the probability of the class, and the accuracy the share of its "
               "true pixels; ECE is the mean of those of the classes that have pixels, and MCE the largest one."
             : "The confidence is the largest probability of a pixel, its prediction that class, the first of equal "
               "ones; the table per class is of the pixels predicted as it.") +
        " Pixels ignored in the truth do not count.";
    const std::string accuracy = overlapping_ ? "true share" : "accuracy";
    report.columns = {"ECE", "MCE", "mean confidence", accuracy, "pixels"};
    Bins all(static_cast<std::size_t>(bins_));
    double sum = 0, most = 0, defined = 0;
    for (const auto& bins : counts_) {
      const Errors of(bins);
      report.per_class.push_back({of.expected, of.maximum, of.confidence, of.accuracy, static_cast<double>(of.pixels)});
      for (std::size_t b = 0; b < bins.size(); ++b) all[b].add(bins[b]);
      if (of.pixels > 0) sum += of.expected, most = std::max(most, of.maximum), ++defined;
    }
    Errors total(all);
    if (overlapping_ && defined > 0) total.expected = sum / defined, total.maximum = most;
    constexpr auto kLower = MetricReport::Better::lower;
    report.values = {{"ECE", total.expected, kLower},
                     {"MCE", total.maximum, kLower},
                     {"mean confidence", total.confidence},
                     {accuracy, total.accuracy}};
    report.tables = {reliability(all, accuracy)};
    return report;
  }

  // int64 [classes * bins * 5]
  std::vector<at::Tensor> state() const override {
    std::vector<std::int64_t> numbers;
    for (const auto& bins : counts_)
      for (const auto& bin : bins) {
        const auto sum = bin.confidence.numbers();
        numbers.insert(numbers.end(), sum.begin(), sum.end());
        numbers.push_back(bin.right);
      }
    return {at::tensor(numbers, at::kLong)};
  }

  void merge(const std::vector<at::Tensor>& state) override {
    constexpr std::size_t kOfBin = ExactSum::kNumbers + 1;
    const auto expected = counts_.size() * static_cast<std::size_t>(bins_) * kOfBin;
    if (state.size() != 1 || static_cast<std::size_t>(state.front().numel()) != expected)
      throw sectile::PluginError("calibration", "was given the state of another metric, or of other classes or bins");
    const auto numbers = state.front().to(at::kCPU, at::kLong).contiguous();
    const auto* from = numbers.const_data_ptr<std::int64_t>();
    for (auto& bins : counts_)
      for (auto& bin : bins) {
        bin.confidence.merge(std::span<const std::int64_t, ExactSum::kNumbers>(from, ExactSum::kNumbers));
        bin.right += from[ExactSum::kNumbers];
        from += kOfBin;
      }
  }

 private:
  using Bins = std::vector<Bin>;

  static std::string text(at::IntArrayRef sizes) {
    std::string all;
    for (const auto size : sizes) all += (all.empty() ? "" : ", ") + std::to_string(size);
    return all;
  }

  void add(std::int64_t number, float confidence, bool right, const std::string& id) {
    if (!(confidence >= 0 && confidence <= 1 + kRounding))
      throw DataError(id, "has a class score of " + std::to_string(confidence) + ": expected probabilities, 0 to 1");
    const double within = std::min(static_cast<double>(confidence), 1.);
    const auto place = static_cast<std::int64_t>(std::ceil(within * bins_)) - 1;
    auto& bin = counts_[static_cast<std::size_t>(number)]
                       [static_cast<std::size_t>(std::clamp<std::int64_t>(place, 0, bins_ - 1))];
    bin.confidence.add(within);
    bin.right += right;
  }

  // scores: [classes, pixels]
  void add_top(const float* scores, const at::Tensor& truth, std::int64_t pixels, const std::string& id) {
    const auto* labels = truth.const_data_ptr<std::int64_t>();
    const auto classes = static_cast<std::int64_t>(counts_.size());
    for (std::int64_t i = 0; i < pixels; ++i) {
      if (labels[i] == sectile::kIgnore) continue;
      if (labels[i] < 0 || labels[i] >= classes)
        throw DataError(id, "has a class number outside 0.." + std::to_string(classes - 1) +
                                " in the truth: " + std::to_string(labels[i]));
      std::int64_t top = 0;
      for (std::int64_t c = 1; c < classes; ++c)
        if (scores[c * pixels + i] > scores[top * pixels + i]) top = c;
      add(top, scores[top * pixels + i], top == labels[i], id);
    }
  }

  void add_each(const float* scores, const at::Tensor& truth, std::int64_t pixels, const std::string& id) {
    const auto* labels = truth.const_data_ptr<float>();
    for (std::int64_t c = 0; c < static_cast<std::int64_t>(counts_.size()); ++c)
      for (std::int64_t i = 0; i < pixels; ++i, ++labels, ++scores)
        if (*labels >= 0) add(c, *scores, *labels >= 0.5f, id);
  }

  MetricReport::Table reliability(const Bins& bins, const std::string& accuracy) const {
    MetricReport::Table made{
        .name = "reliability", .rows = {}, .columns = {"mean confidence", accuracy, "pixels"}, .cells = {}};
    for (std::size_t b = 0; b < bins.size(); ++b) {
      const auto& bin = bins[b];
      const auto whole = static_cast<double>(bin.pixels());
      made.rows.push_back("up to " + std::to_string(b + 1) + "/" + std::to_string(bins.size()));
      made.cells.push_back({bin.confidence.finite_mean(),
                            bin.pixels() == 0 ? kUndefined : static_cast<double>(bin.right) / whole, whole});
    }
    return made;
  }

  std::int64_t bins_;
  bool overlapping_;
  std::vector<Bins> counts_;  // of each class; without overlap: of the pixels predicted as it
};

}  // namespace

SECTILE_PLUGIN("1.0.0",
               sectile::metric<Calibration, CalibrationOptions>(
                   "calibration", "How far confidences are from accuracy (ECE, MCE), with a reliability table."))
