#include <ATen/ATen.h>

#include <sectile/metric.h>

#include "support/component.h"
#include "support/panoptic_maps.h"
#include "support/test.h"

using namespace sectile;
using namespace sectile::test;

namespace {

BuildContext panoptic_context() {
  auto made = context(5);
  auto labels = std::make_shared<LabelMap>(*made.labels);
  for (std::size_t c = 0; c < 3; ++c) labels->classes[c].thing = true;
  made.labels = labels;
  return made;
}

std::shared_ptr<Metric> panoptic_metric() {
  return make<Metric>(R"({"type": "panoptic_quality"})", panoptic_context());
}

void update_panoptic(Metric& metric, const PanopticMaps& maps) {
  Truth truth;
  truth.sample.segment_ids = maps.truth_ids;
  truth.sample.segments = maps.truths;
  Prediction prediction{.id = "a.png", .segments = maps.found};
  prediction.segment_ids =
      at::from_blob(maps.found_ids.data, {maps.found_ids.rows, maps.found_ids.cols}, at::kInt).clone();
  metric.update(prediction, truth);
}

double panoptic_value(const MetricReport& report, const std::string& name) {
  for (const auto& value : report.values)
    if (value.name == name) return value.value;
  FAIL("no value " << name);
  return 0;
}

}  // namespace

TEST_CASE("panoptic_quality equals panopticapi on 200 random maps, split and merged") {
  const auto expected = panoptic_expected();
  const auto metric = panoptic_metric(), other = panoptic_metric();
  CHECK(metric->wanted().segments);
  for (std::uint64_t i = 0; i < 200; ++i) update_panoptic(i % 3 ? *metric : *other, panoptic_maps(i, 5));
  metric->merge(other->state());
  const auto report = metric->compute();
  CHECK(report.values.front().name == "PQ");
  for (const auto& [group, suffix] :
       {std::pair("all", ""), std::pair("things", "_things"), std::pair("stuff", "_stuff")}) {
    const auto& numbers = expected["means"][group];
    CHECK(panoptic_value(report, std::string("PQ") + suffix) ==
          doctest::Approx(numbers[0].get<double>()).epsilon(1e-13));
    CHECK(panoptic_value(report, std::string("SQ") + suffix) ==
          doctest::Approx(numbers[1].get<double>()).epsilon(1e-13));
    CHECK(panoptic_value(report, std::string("RQ") + suffix) ==
          doctest::Approx(numbers[2].get<double>()).epsilon(1e-13));
  }
  REQUIRE(report.columns == std::vector<std::string>{"PQ", "SQ", "RQ", "TP", "FP", "FN"});
  REQUIRE(report.per_class.size() == 5);
  for (std::size_t c = 0; c < 5; ++c) {
    for (std::size_t k = 0; k < 3; ++k)
      CHECK(report.per_class[c][k] == doctest::Approx(expected["per_class"][c][k].get<double>()).epsilon(1e-13));
    double matches = 0;
    for (const auto& one : expected["cases"]) matches += one[c][0].get<double>();
    CHECK(report.per_class[c][3] == matches);
  }
}

TEST_CASE("panoptic_quality skips what is not annotated, and names the image where something is wrong") {
  const auto metric = panoptic_metric();
  metric->update({.id = "a.png"}, {});
  CHECK(std::isnan(metric->compute().values.front().value));
  auto maps = panoptic_maps(5, 5);
  Truth truth;
  truth.sample.segment_ids = maps.truth_ids;
  truth.sample.segments = maps.truths;
  CHECK_THROWS_WITH_AS(metric->update({.id = "a.png"}, truth),
                       "panoptic_quality: the prediction has no map of segments", PluginError);
  maps.found.clear();
  CHECK_THROWS_WITH_AS(update_panoptic(*metric, maps), doctest::Contains("a.png: panoptic quality: the prediction has"),
                       DataError);
}
