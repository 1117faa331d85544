// Metrics: counts that add up, whatever the images hold.
#include <algorithm>
#include <cmath>
#include <optional>

#include <ATen/ATen.h>

#include <sectile/metric.h>

#include "contract.h"
#include "upper/inference/evaluation.h"

namespace sectile::contract {
namespace {

struct Example {
  Prediction prediction{};
  Truth truth{};
};

Instance rectangle(int category, int x, const cv::Size& size) {
  Instance instance;
  instance.category = category;
  instance.box = cv::Rect2f(static_cast<float>(x), 1, 3, 2);
  cv::Mat bitmap = cv::Mat::zeros(size, CV_8U);
  bitmap(cv::Rect(x, 1, 3, 2)) = cv::Scalar(1);
  instance.mask = Mask(bitmap);
  return instance;
}

// Labels, scores, instances and segments that do not contradict each other; some pixels are ignored.
Example image(int height, int width, bool overlapping) {
  Example made;
  made.prediction.id = made.truth.sample.id = std::to_string(height) + "x" + std::to_string(width);
  if (overlapping) {
    made.truth.labels = at::randint(kIgnore, 2, {kClasses, height, width}, at::kLong).to(at::kFloat);
    made.prediction.labels = at::randint(0, 2, {kClasses, height, width}, at::kLong).to(at::kBool);
  } else {
    made.truth.labels = at::randint(kIgnore, kClasses, {height, width}, at::kLong);
    made.prediction.labels = at::randint(0, kClasses, {height, width}, at::kLong);
  }
  made.prediction.scores = at::rand({kClasses, height, width});
  const cv::Size size(width, height);
  made.truth.sample.instances = {rectangle(0, 0, size), rectangle(1, 2, size)};
  made.prediction.instances = {rectangle(0, 1, size)};
  const auto segments = cv::Mat(height, width, CV_32S, cv::Scalar(1));
  made.truth.sample.segment_ids = segments;
  made.truth.sample.segments = {{.id = 1, .category = 1}};
  made.prediction.segment_ids = at::ones({height, width}, at::kInt);
  made.prediction.segments = {{.id = 1, .category = 2}};
  return made;
}

bool same(double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); }

bool same(const MetricReport& a, const MetricReport& b) {
  if (a.values.size() != b.values.size() || a.per_class.size() != b.per_class.size() ||
      a.tables.size() != b.tables.size())
    return false;
  for (std::size_t i = 0; i < a.values.size(); ++i)
    if (a.values[i].name != b.values[i].name || !same(a.values[i].value, b.values[i].value)) return false;
  for (std::size_t c = 0; c < a.per_class.size(); ++c)
    for (std::size_t i = 0; i < a.per_class[c].size(); ++i)
      if (!same(a.per_class[c][i], b.per_class[c][i])) return false;
  for (std::size_t t = 0; t < a.tables.size(); ++t)
    if (!std::equal(a.tables[t].cells.begin(), a.tables[t].cells.end(), b.tables[t].cells.begin(),
                    b.tables[t].cells.end(), [](const auto& left, const auto& right) {
                      return std::equal(left.begin(), left.end(), right.begin(), right.end(),
                                        [](double x, double y) { return same(x, y); });
                    }))
      return false;
  return true;
}

void check_report(Findings& findings, const MetricReport& report, const std::string& what) {
  findings.expect(!report.values.empty(), what + ": the report has no headline");
  for (const auto& value : report.values) findings.expect(!value.name.empty(), what + ": a value has no name");
  findings.expect(!report.convention.empty(), what + ": the report does not say whose rules were followed");
  findings.expect(report.per_class.empty() || report.per_class.size() == kClasses,
                  what + ": the table has not one row per class");
  for (const auto& row : report.per_class)
    findings.expect(row.size() == report.columns.size(), what + ": a row of the table does not fit its columns");
  findings.attempt(what, [&] { sectile::check_report("the metric", report, kClasses); });
}

void leave_out_last_class(Example& example, bool overlapping) {
  if (overlapping) {
    auto of_class = example.truth.labels.select(0, kClasses - 1);
    of_class.masked_fill_(of_class == 1, 0);
    example.prediction.labels.select(0, kClasses - 1).fill_(false);
  } else {
    example.truth.labels.clamp_max_(kClasses - 2);
    example.prediction.labels.clamp_max_(kClasses - 2);
  }
}

// The images in three parts, each counted and merged in all orders: equal to the last bit.
void check_orders(Findings& findings, const std::function<std::shared_ptr<Metric>()>& made,
                  const std::vector<Example>& images, const std::string& kind) {
  std::vector<std::size_t> parts{0, 1, 2};
  std::optional<MetricReport> expected;
  do {
    const auto merged = made();
    for (const auto part : parts) {
      const auto one = made();
      for (std::size_t i = 0; i < images.size(); ++i) {
        const auto at = parts[0] == 0 ? i : images.size() - 1 - i;  // inside a part, both ways
        if (at % 3 == part) one->update(images[at].prediction, images[at].truth);
      }
      merged->merge(one->state());
    }
    const auto report = merged->compute();
    if (!expected) expected = report;
    findings.expect(same(report, *expected), kind + "three parts merged in another order differ");
  } while (std::next_permutation(parts.begin(), parts.end()));
}

void check(Findings& findings, const std::function<std::shared_ptr<Metric>()>& made, bool overlapping) {
  const std::string kind = overlapping ? "overlapping classes, " : "";
  check_report(findings, made()->compute(), kind + "nothing counted");
  const auto one = made();
  auto ignored = image(6, 7, overlapping);
  ignored.truth.labels.fill_(kIgnore);
  one->update(ignored.prediction, ignored.truth);
  check_report(findings, one->compute(), kind + "every pixel ignored");
  auto unannotated = image(6, 7, overlapping);
  unannotated.truth = {};
  one->update(unannotated.prediction, unannotated.truth);

  // The last class is in neither truth nor prediction of some images.
  std::vector<Example> images{image(6, 7, overlapping), image(9, 5, overlapping), image(8, 8, overlapping),
                              image(5, 5, overlapping), image(3, 5, overlapping), image(4, 9, overlapping)};
  leave_out_last_class(images[3], overlapping);
  leave_out_last_class(images[4], overlapping);
  const auto whole = made(), first = made(), second = made(), loaded = made();
  for (std::size_t i = 0; i < images.size(); ++i) {
    whole->update(images[i].prediction, images[i].truth);
    (i < 2 ? first : second)->update(images[i].prediction, images[i].truth);
  }
  check_report(findings, whole->compute(), kind + "six images");
  first->merge(second->state());
  findings.expect(same(first->compute(), whole->compute()), kind + "merged states differ from one pass");
  loaded->merge(whole->state());
  findings.expect(same(loaded->compute(), whole->compute()), kind + "a new metric with a merged state differs");
  check_orders(findings, made, images, kind);
  const auto saved = second->state();
  std::vector<at::Tensor> copies;
  for (const auto& tensor : saved) copies.push_back(tensor.clone());
  second->update(images[0].prediction, images[0].truth);
  for (std::size_t i = 0; i < saved.size(); ++i)
    findings.expect(at::equal(saved[i], copies[i]), kind + "a state that was handed out changes with later images");
}

}  // namespace

Findings metric_contract(const Subject& subject) {
  Findings findings;
  at::manual_seed(1);
  if (!build(subject, context(kClasses))) return findings;
  const auto maker = [&](bool overlapping) {
    return [&subject, overlapping] { return build<Metric>(subject, context(kClasses, overlapping)); };
  };
  const auto wanted = maker(false)()->wanted();
  findings.expect(wanted.labels || wanted.scores || wanted.instances || wanted.segments, "it wants nothing to measure");
  findings.attempt("class numbers", [&] { check(findings, maker(false), false); });
  findings.attempt_or_refuse("overlapping classes", [&] { check(findings, maker(true), true); });
  return findings;
}

}  // namespace sectile::contract
