// Average precision of a detector's results.
#include <algorithm>
#include <cmath>

#include <sectile/data/average_precision.h>

#include "../../framework/ground/checking/text_table.h"
#include "../printable.h"
#include "../results/report_file.h"
#include "compared_files.h"

namespace sectile {
namespace {

namespace po = boost::program_options;

struct IouType {
  const char* name;
  ApKind kind;
};
constexpr IouType kIouTypes[] = {{"segm", ApKind::mask}, {"bbox", ApKind::box}, {"boundary", ApKind::boundary}};

// "tiny=0..256"
SizeRange size_range(const std::string& text) {
  const auto equals = text.find('='), dots = text.find("..");
  try {
    if (equals == std::string::npos || equals == 0 || dots == std::string::npos) throw std::invalid_argument(text);
    std::size_t used = 0;
    const auto least = text.substr(equals + 1, dots - equals - 1), most = text.substr(dots + 2);
    SizeRange range{text.substr(0, equals), std::stod(least, &used), 1e10};
    if (used != least.size()) throw std::invalid_argument(text);
    if (!most.empty()) range.most = std::stod(most, &used);
    if ((!most.empty() && used != most.size()) || !(range.least >= 0) || !(range.least <= range.most))
      throw std::invalid_argument(text);
    return range;
  } catch (const std::logic_error&) {
    throw po::error("--size: \"" + text + "\" is no range of areas; expected NAME=LEAST..MOST in pixels: tiny=0..256");
  }
}

std::string tables(const ApOfFilesResult& result, const std::string& name, bool per_class) {
  const auto& report = result.report;
  std::string text;
  if (per_class) {
    std::vector<std::string> head{"class", "objects", "detections", "AP", "AP50", "AP75", "AR"};
    for (const auto& line : report.lines)
      if (line.size != "all") head.push_back("AP " + line.size);
    TextTable classes(head, all_but_first_of(head.size()));
    for (std::size_t i = 0; i < report.per_class.size(); ++i) {
      const auto& one = report.per_class[i];
      std::vector<std::string> cells{printable(result.categories[i]),
                                     std::to_string(one.objects),
                                     std::to_string(one.detections),
                                     number(one.ap),
                                     number(one.ap50),
                                     number(one.ap75),
                                     number(one.ar)};
      for (const double ap : one.ap_by_size) cells.push_back(number(ap));
      classes.add(std::move(cells));
    }
    text += classes.text() + "\n";
  }
  TextTable sizes({"size", "detections", "AP", "AR"}, all_but_first_of(4));
  for (const auto& line : report.lines)
    sizes.add({line.size, std::to_string(line.max_detections), number(line.ap), number(line.ar)});
  text += sizes.text() + "\n";
  return text + name + ": AP " + number(report.ap) + ", AP50 " + number(report.ap50) + ", AP75 " + number(report.ap75) +
         "  (" + std::to_string(result.images) + " images, " + std::to_string(result.objects) + " objects, " +
         (result.crowds ? std::to_string(result.crowds) + " crowds, " : "") + std::to_string(result.detections) +
         " detections)\n";
}

FilesReport report_of(const ApOfFilesResult& result, const std::string& name) {
  const auto& report = result.report;
  JsonLine values;
  values.add(name + "/AP", report.ap).add(name + "/AP50", report.ap50).add(name + "/AP75", report.ap75);
  for (const auto& line : report.lines) {
    const auto place = line.size == "all" ? "@" + std::to_string(line.max_detections) : "_" + line.size;
    if (line.size != "all") values.add(name + "/AP" + place, line.ap);
    values.add(name + "/AR" + place, line.ar);
  }
  JsonLine per_class;
  per_class.add("class", result.categories);
  const auto column = [&](const std::string& title, const auto& of) {
    std::vector<double> cells;
    for (const auto& one : report.per_class) cells.push_back(of(one));
    per_class.add(name + "/" + title, cells);
  };
  column("objects", [](const auto& one) { return static_cast<double>(one.objects); });
  column("detections", [](const auto& one) { return static_cast<double>(one.detections); });
  column("AP", [](const auto& one) { return one.ap; });
  column("AP50", [](const auto& one) { return one.ap50; });
  column("AP75", [](const auto& one) { return one.ap75; });
  column("AR", [](const auto& one) { return one.ar; });
  std::size_t size = 0;
  for (const auto& line : report.lines) {
    if (line.size == "all") continue;
    column("AP_" + line.size, [&](const auto& one) { return one.ap_by_size[size]; });
    ++size;
  }
  return {result.images, values, per_class, result.notes, result.convention};
}

}  // namespace

void evaluate_results(const ComparedFiles& files) {
  const auto& line = files.line;
  ApOfFilesOptions options;
  options.threads = files.threads;
  if (line.given.count("iou-type")) {
    const auto given = line.given["iou-type"].as<std::string>();
    for (const auto& one : kIouTypes)
      if (given == one.name) options.kind = one.kind;
    if (!options.kind) throw po::error("--iou-type: \"" + given + "\" is none of segm, bbox, boundary");
  }
  if (line.given.count("size")) {
    options.ap.sizes.clear();
    for (const auto& text : line.given["size"].as<std::vector<std::string>>())
      options.ap.sizes.push_back(size_range(text));
  }
  if (line.given.count("max-detections")) {
    const int most = line.given["max-detections"].as<int>();
    if (most < 1)
      throw po::error("--max-detections: " + std::to_string(most) + " is not a number of detections: use 1 or more");
    auto& limits = options.ap.max_detections;
    std::erase_if(limits, [&](int limit) { return limit >= most; });
    if (most > 100) std::erase(limits, 100);
    limits.push_back(most);
  }
  const auto result = average_precision(files.truth, files.predictions, options);
  const std::string name = std::find_if(std::begin(kIouTypes), std::end(kIouTypes), [&](const auto& one) {
                             return one.kind == result.kind;
                           })->name;
  tell_report(line, files.report, tables(result, name, line.given.count("per-class") > 0), report_of(result, name));
}

}  // namespace sectile
