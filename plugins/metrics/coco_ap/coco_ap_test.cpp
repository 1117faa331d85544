#include <opencv2/core.hpp>

#include "parity/metric_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

Instance ap_instance(const cv::Rect& box, double score = 1, int category = 0) {
  Instance made;
  made.category = category;
  made.box = cv::Rect2f(box);
  made.score = static_cast<float>(score);
  cv::Mat mask = cv::Mat::zeros(100, 100, CV_8U);
  mask(box) = cv::Scalar(1);
  made.mask = Mask(mask);
  return made;
}

double ap_value(const Metric& metric, const std::string& name) {
  for (const auto& value : metric.compute().values)
    if (value.name == name) return value.value;
  FAIL("no value " << name);
  return 0;
}

std::shared_ptr<Metric> ap_metric(const std::string& type, const std::string& options = "") {
  return make<Metric>(R"({"type": ")" + type + "\"" + options + "}", context(2));
}

std::string ap_option_problem(const std::string& options) {
  try {
    ap_metric("coco_ap", options);
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace

TEST_CASE("coco_ap: crowds, stated areas and the order of equal scores are COCO's, by mask and by box") {
  for (const std::string type : {"segm", "bbox"}) {
    CAPTURE(type);
    const std::string of = type == "bbox" ? "box " : "";
    const auto metric = ap_metric("coco_ap", R"(, "iou_type": ")" + type + "\"");
    CHECK(metric->wanted().instances);
    CHECK(metric->wanted().masks == (type == "segm"));
    Truth truth;
    truth.sample.instances = {ap_instance({0, 0, 100, 50}), ap_instance({70, 70, 20, 20})};
    truth.sample.instances[0].crowd = true;
    truth.sample.instances[1].area = 5000;  // medium by the file, small by its pixels
    const Prediction prediction{.id = "000000000007.jpg",
                                .instances = {ap_instance({10, 10, 20, 20}, 0.9), ap_instance({40, 10, 20, 20}, 0.8),
                                              ap_instance({50, 45, 40, 40}, 0.7), ap_instance({70, 70, 20, 20}, 0.6)}};
    metric->update(prediction, truth);
    CHECK(ap_value(*metric, of + "AP") == doctest::Approx(0.5));
    CHECK(ap_value(*metric, of + "AP50") == doctest::Approx(0.5));
    CHECK(std::isnan(ap_value(*metric, of + "AP_small")));
    CHECK(ap_value(*metric, of + "AP_medium") == doctest::Approx(0.5));
    CHECK(ap_value(*metric, of + "AR@1") == 0);
    CHECK(ap_value(*metric, of + "AR@100") == doctest::Approx(1));
    const auto report = metric->compute();
    CHECK(report.per_class[0][4] == 1);  // the crowd is no object
    CHECK(std::isnan(report.per_class[1][0]));
  }
}

TEST_CASE("coco_ap: of equal scores, those of the image with the lower number count first, whatever comes first") {
  Truth truth;
  truth.sample.instances = {ap_instance({0, 0, 20, 20})};
  const auto found = [&](const std::string& id, bool right) {
    return Prediction{.id = id,
                      .instances = {ap_instance(right ? cv::Rect{0, 0, 20, 20} : cv::Rect{50, 50, 20, 20}, 0.5)}};
  };
  for (const bool right_first : {false, true}) {
    const auto metric = ap_metric("coco_ap");
    metric->update(found("val/10.png", !right_first), truth);
    metric->update(found("val/9.png", right_first), truth);
    CHECK(ap_value(*metric, "AP") == doctest::Approx(right_first ? 51. / 101 : 51. / 101 / 2));
  }
}

TEST_CASE("coco_ap: images without objects count their detections, and unknown classes and missing masks are refused") {
  const auto metric = ap_metric("coco_ap");
  Truth truth;
  truth.sample.instances = {ap_instance({0, 0, 20, 20})};
  metric->update({.id = "1", .instances = {ap_instance({0, 0, 20, 20}, 0.5)}}, truth);
  metric->update({.id = "2", .instances = {ap_instance({0, 0, 20, 20}, 0.9)}}, Truth());
  CHECK(ap_value(*metric, "AP") == doctest::Approx(0.5));
  CHECK_THROWS_WITH_AS(metric->update({.id = "3", .instances = {ap_instance({0, 0, 2, 2}, 1, 2)}}, truth),
                       "3: a predicted object has class number 2, and there are 2 classes", DataError);
  Instance bare;
  bare.box = {0, 0, 5, 5};
  CHECK_THROWS_WITH_AS(metric->update({.id = "4", .instances = {bare}}, truth),
                       doctest::Contains("has no mask, which coco_ap compares"), DataError);
  Instance wide = bare;
  wide.mask = Mask(cv::Mat(cv::Mat::ones(5, 6, CV_8U)));
  CHECK_THROWS_WITH_AS(metric->update({.id = "5", .instances = {wide}}, truth),
                       doctest::Contains("masks of different sizes"), DataError);
}

TEST_CASE("coco_ap: thresholds, limits and size ranges are options, and wrong ones are refused") {
  const auto metric = ap_metric(
      "coco_ap",
      R"(, "iou_thresholds": [0.3], "max_detections": [2], "sizes": [{"name": "tiny", "most": 200}, {"name": "rest", "least": 200}])");
  Truth truth;
  truth.sample.instances = {ap_instance({0, 0, 10, 20})};
  metric->update({.id = "1", .instances = {ap_instance({0, 0, 10, 10}, 0.5)}}, truth);
  CHECK(ap_value(*metric, "AP") == doctest::Approx(1));
  CHECK(ap_value(*metric, "AP_tiny") == doctest::Approx(1));  // 200 belongs to both
  CHECK(ap_value(*metric, "AP_rest") == doctest::Approx(1));
  CHECK(ap_value(*metric, "AR@2") == doctest::Approx(1));
  for (const auto& value : metric->compute().values) CHECK(value.name != "AP50");
  CHECK(ap_option_problem(R"(, "iou_thresholds": [0.9, 0.5])").find("iou_thresholds: is not ascending") !=
        std::string::npos);
  CHECK(ap_option_problem(R"(, "iou_thresholds": [])") != "no error");
  CHECK(ap_option_problem(R"(, "max_detections": [5, 5])").find("max_detections: is not ascending") !=
        std::string::npos);
  CHECK(ap_option_problem(R"(, "max_detections": [10, 1])").find("max_detections: is not ascending") !=
        std::string::npos);
  CHECK(ap_option_problem(R"(, "sizes": [{"name": "x", "least": 5, "most": 1}])")
            .find("sizes/0: has a largest area below its smallest") != std::string::npos);
  CHECK(ap_option_problem(R"(, "iou_type": "keypoints")") != "no error");
}
