// Panoptic quality of files.

#include <sectile/data/panoptic_quality.h>

#include "../../framework/ground/checking/text_table.h"
#include "../printable.h"
#include "../results/report_file.h"
#include "compared_files.h"

namespace sectile {
namespace {

constexpr const char* kMetric = "panoptic_quality";  // values have the names that the metric of a spec gives them

std::string tables(const PqOfFilesResult& result, bool per_class) {
  const auto& report = result.report;
  std::string text;
  if (per_class) {
    TextTable classes({"class", "kind", "PQ", "SQ", "RQ", "TP", "FP", "FN"}, {2, 3, 4, 5, 6, 7});
    for (std::size_t i = 0; i < report.per_category.size(); ++i) {
      const auto& one = report.per_category[i];
      classes.add({printable(result.categories[i].name), result.categories[i].thing ? "thing" : "stuff", number(one.pq),
                   number(one.sq), number(one.rq), std::to_string(one.true_positive),
                   std::to_string(one.false_positive), std::to_string(one.false_negative)});
    }
    text += classes.text() + "\n";
  }
  TextTable means({"", "PQ", "SQ", "RQ", "classes"}, all_but_first_of(5));
  const auto add = [&](const char* name, const PanopticReport::Mean& mean) {
    means.add({name, number(mean.pq), number(mean.sq), number(mean.rq), std::to_string(mean.categories)});
  };
  add("all", report.all);
  add("things", report.things);
  add("stuff", report.stuff);
  return text + means.text() + "\nPQ " + number(report.all.pq) + ", SQ " + number(report.all.sq) + ", RQ " +
         number(report.all.rq) + "  (" + std::to_string(result.images) + " images, " + std::to_string(result.segments) +
         " segments, " + (result.crowds ? std::to_string(result.crowds) + " crowds, " : "") +
         std::to_string(result.found) + " predicted segments)\n";
}

FilesReport report_of(const PqOfFilesResult& result) {
  const auto& report = result.report;
  JsonLine values, per_class;
  const auto name = [](const std::string& value) { return std::string(kMetric) + "/" + value; };
  const auto add = [&](const std::string& suffix, const PanopticReport::Mean& mean) {
    values.add(name("PQ" + suffix), mean.pq).add(name("SQ" + suffix), mean.sq).add(name("RQ" + suffix), mean.rq);
  };
  add("", report.all);
  add("_things", report.things);
  add("_stuff", report.stuff);
  std::vector<std::string> classes;
  for (const auto& one : result.categories) classes.push_back(one.name);
  per_class.add("class", classes);
  const auto column = [&](const std::string& title, const auto& of) {
    std::vector<double> cells;
    for (const auto& one : report.per_category) cells.push_back(static_cast<double>(of(one)));
    per_class.add(name(title), cells);
  };
  column("PQ", [](const auto& one) { return one.pq; });
  column("SQ", [](const auto& one) { return one.sq; });
  column("RQ", [](const auto& one) { return one.rq; });
  column("TP", [](const auto& one) { return one.true_positive; });
  column("FP", [](const auto& one) { return one.false_positive; });
  column("FN", [](const auto& one) { return one.false_negative; });
  return {result.images, values, per_class, result.notes, result.convention};
}

}  // namespace

void evaluate_panoptic(const ComparedFiles& files) {
  const auto& given = files.line.given;
  PanopticFiles compared{files.truth, files.predictions, {}, {}, files.threads};
  if (given.count("truth-masks")) compared.truth_masks = given["truth-masks"].as<std::string>();
  if (given.count("predictions-masks")) compared.predictions_masks = given["predictions-masks"].as<std::string>();
  const auto result = panoptic_quality(compared);
  tell_report(files.line, files.report, tables(result, given.count("per-class") > 0), report_of(result));
}

}  // namespace sectile
