// What tests of average precision share: files of a few objects, and what they give.
#pragma once

#include <cmath>
#include <string>
#include <vector>

#include <sectile/data/average_precision.h>
#include <sectile/error.h>
#include <nlohmann/json.hpp>

#include "support/scratch.h"
#include "support/test.h"

namespace sectile::test::coco {

using nlohmann::json;

inline ApOfFilesResult evaluated(const Scratch& scratch, const json& truth, const std::vector<json>& results,
                                 ApKind kind, int threads = 1) {
  ApOfFilesOptions options;
  options.kind = kind;
  options.threads = threads;
  return average_precision(scratch.write("truth.json", truth.dump()),
                           scratch.write("results.json", json(results).dump()), options);
}

// In pycocotools' order; -1: there are no objects.
inline std::vector<double> stats_of(const ApReport& report) {
  std::vector<double> stats{report.ap, report.ap50, report.ap75};
  for (std::size_t i = 3; i < 6; ++i) stats.push_back(report.lines[i].ap);
  for (const auto& line : report.lines) stats.push_back(line.ar);
  for (auto& value : stats)
    if (std::isnan(value)) value = -1;
  return stats;
}

inline void check_stats(const json& expected, const ApReport& report) {
  const auto found = stats_of(report);
  REQUIRE(found.size() == expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) {
    CAPTURE(i);
    CHECK(std::abs(found[i] - expected[i].get<double>()) < 1e-12);
  }
}

using List = std::vector<json>;

inline json box_truth(const List& annotations, const List& images = {json{{"id", 1}, {"width", 100}, {"height", 100}}},
                      const List& categories = {json{{"id", 1}, {"name", "a"}}}) {
  return {{"images", images}, {"categories", categories}, {"annotations", annotations}};
}

inline json object(int id, int image, int category, const json& box, double area = 100, int crowd = 0) {
  return {{"id", id},    {"image_id", image}, {"category_id", category},
          {"bbox", box}, {"area", area},      {"iscrowd", crowd}};
}

inline json result(int image, int category, const json& box, double score) {
  return {{"image_id", image}, {"category_id", category}, {"bbox", box}, {"score", score}};
}

inline ApReport of_boxes(const json& truth, const List& results) {
  const Scratch scratch;
  return evaluated(scratch, truth, results, ApKind::box).report;
}

inline std::string ap_problem(const json& truth, const List& results, ApKind kind = ApKind::box) {
  const Scratch scratch;
  try {
    evaluated(scratch, truth, results, kind);
  } catch (const DataError& error) {
    return error.what();
  }
  return "no error";
}

inline bool mentions(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace sectile::test::coco
