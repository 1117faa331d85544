#include "table.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "../printable.h"

namespace sectile {
namespace {

std::string number(double value) {
  if (std::isnan(value)) return "-";
  char text[32];
  std::snprintf(text, sizeof text, value == std::floor(value) && std::abs(value) > 1 ? "%.0f" : "%.4f", value);
  return text;
}

// Of one column, all alike: counts of 0 and 1 are among others.
std::vector<std::string> numbers(const std::vector<double>& column) {
  const auto is_whole = [](double value) { return std::isnan(value) || value == std::floor(value); };
  const bool counts = std::all_of(column.begin(), column.end(), is_whole) &&
                      std::any_of(column.begin(), column.end(),
                                  [](double value) { return std::isfinite(value) && std::abs(value) > 1; });
  std::vector<std::string> texts;
  for (const double value : column)
    texts.push_back(counts && std::abs(value) <= 1 ? std::to_string(static_cast<int>(value)) : number(value));
  return texts;
}

std::string padded(const std::string& text, std::size_t width, bool right) {
  std::size_t letters = 0;
  for (const char c : text) letters += (c & 0xc0) != 0x80;  // UTF-8: without continuation bytes
  const std::string space(width > letters ? width - letters : 0, ' ');
  return right ? space + text : text + space;
}

}  // namespace

std::string headline(const Evaluation& evaluation) {
  std::string text;
  std::set<std::string> names;
  for (const auto& [metric, report] : evaluation.reports)
    for (const auto& value : report.values) {
      if (!text.empty()) text += ", ";
      if (!names.insert(value.name).second) text += metric + "/";
      text += value.name + " " + number(value.value);
    }
  return text;
}

std::string table(const Evaluation& evaluation, const LabelMap& labels) {
  std::vector<std::vector<std::string>> rows(labels.classes.size() + 1);
  rows[0].push_back("class");
  for (std::size_t c = 0; c < labels.classes.size(); ++c) rows[c + 1].push_back(printable(labels.classes[c].name));
  std::string conventions;
  for (const auto& [metric, report] : evaluation.reports) {
    if (!report.convention.empty()) conventions += metric + ": " + report.convention + "\n";
    if (report.per_class.size() != labels.classes.size()) continue;
    for (std::size_t column = 0; column < report.columns.size(); ++column) {
      std::vector<double> values;
      for (const auto& row : report.per_class) values.push_back(row[column]);
      const auto cells = numbers(values);
      auto name = report.columns[column];
      if (const auto same = std::find(rows[0].begin(), rows[0].end(), name); same != rows[0].end()) {
        const auto at = static_cast<std::size_t>(same - rows[0].begin());
        bool equal = true;
        for (std::size_t c = 0; c < cells.size(); ++c) equal &= rows[c + 1][at] == cells[c];
        if (equal) continue;  // the same again
        name = metric + "/" + name;
      }
      rows[0].push_back(name);
      for (std::size_t c = 0; c < cells.size(); ++c) rows[c + 1].push_back(cells[c]);
    }
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) {
      std::size_t width = 0;
      for (const auto& other : rows) width = std::max(width, i < other.size() ? other[i].size() : 0);
      line += (i ? "  " : "") + padded(row[i], width, i > 0);
    }
    text += line + "\n";
  }
  if (evaluation.cut_off > 0)
    conventions += "pixels that the transforms (/transforms/val) cut off do not count, in " +
                   std::to_string(evaluation.cut_off) + " images\n";
  return text + "\n" + headline(evaluation) + "  (" + std::to_string(evaluation.images) + " images)\n" + conventions;
}

std::string skipped(const std::vector<std::string>& reasons) {
  constexpr std::size_t kShown = 10;
  if (reasons.empty()) return {};
  std::string text = std::to_string(reasons.size()) +
                     (reasons.size() == 1 ? " bad sample was skipped:\n" : " bad samples were skipped:\n");
  for (std::size_t i = 0; i < reasons.size() && i < kShown; ++i) text += "  " + reasons[i] + "\n";
  if (reasons.size() > kShown) text += "  and " + std::to_string(reasons.size() - kShown) + " more\n";
  return text;
}

}  // namespace sectile
