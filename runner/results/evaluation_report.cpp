#include "evaluation_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "../../framework/ground/json_line.h"
#include "report_file.h"

namespace sectile {

void ImageScores::image(std::size_t, const Prediction& prediction, const Truth& truth) {
  Score score{truth.sample.id, {}};
  const auto metrics = network_.metrics();
  const auto names = metric_names(network_.spec);
  for (std::size_t i = 0; i < metrics.size(); ++i) {
    metrics[i]->update(prediction, truth);
    for (auto& value : metrics[i]->compute().values) score.values.emplace_back(names[i], std::move(value));
  }
  scores_.push_back(std::move(score));
}

std::string ImageScores::worst(std::size_t count) const {
  std::vector<const Score*> sorted;
  for (const auto& score : scores_)
    if (!std::isnan(score.values.front().second.value)) sorted.push_back(&score);
  std::stable_sort(sorted.begin(), sorted.end(), [](const Score* a, const Score* b) {
    const auto &left = a->values.front().second, &right = b->values.front().second;
    return left.better == MetricReport::Better::higher ? left.value < right.value : left.value > right.value;
  });
  std::string text;
  for (std::size_t i = 0; i < std::min(count, sorted.size()); ++i) {
    char number[32];
    std::snprintf(number, sizeof number, "%.4f", sorted[i]->values.front().second.value);
    text += "  " + std::string(number) + "  " + sorted[i]->id + "\n";
  }
  if (sorted.size() < scores_.size())
    text += "  not defined for " + std::to_string(scores_.size() - sorted.size()) + " of " +
            std::to_string(scores_.size()) + " images\n";
  return text.empty() ? "" : "worst images by " + scores_.front().values.front().second.name + ":\n" + text;
}

void write_report(const std::filesystem::path& file, const Evaluation& evaluation, const LabelMap& labels,
                  const std::vector<ImageScores::Score>& images) {
  JsonLine values, per_class, tables, conventions;
  std::vector<std::string> classes;
  for (const auto& one : labels.classes) classes.push_back(one.name);
  per_class.add("class", classes);
  for (const auto& [metric, report] : evaluation.reports) {
    conventions.add(metric, report.convention);
    for (const auto& value : report.values) values.add(metric + "/" + value.name, value.value);
    for (std::size_t column = 0; column < (report.per_class.empty() ? 0 : report.columns.size()); ++column) {
      std::vector<double> cells;
      for (const auto& row : report.per_class) cells.push_back(row[column]);
      per_class.add(metric + "/" + report.columns[column], cells);
    }
    for (const auto& table : report.tables) {
      JsonLine rows;
      for (std::size_t row = 0; row < table.rows.size(); ++row) rows.add(table.rows[row], table.cells[row]);
      tables.add(metric + "/" + table.name, JsonLine().add("columns", table.columns).add("rows", rows));
    }
  }
  std::vector<JsonLine> per_image;
  for (const auto& [id, scores] : images) {
    JsonLine line;
    line.add("id", id);
    for (const auto& [metric, value] : scores) line.add(metric + "/" + value.name, value.value);
    per_image.push_back(line);
  }
  const auto text = JsonLine()
                        .add("images", static_cast<std::int64_t>(evaluation.images))
                        .add("skipped", evaluation.bad_samples)
                        .add("values", values)
                        .add("per_class", per_class)
                        .add("tables", tables)
                        .add("per_image", per_image)
                        .add("conventions", conventions)
                        .text();
  write_report(file, text);
}

}  // namespace sectile
