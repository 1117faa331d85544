#include <opencv2/core.hpp>

#include "parity/metric_cases.h"

using namespace sectile;
using namespace sectile::test;

namespace {

Instance boundary_instance(const cv::Rect& box, double score = 1) {
  Instance made;
  made.score = static_cast<float>(score);
  cv::Mat mask = cv::Mat::zeros(60, 80, CV_8U);
  mask(box) = cv::Scalar(1);
  made.mask = Mask(mask);
  return made;
}

double boundary_value(double dilation_ratio) {
  const auto metric = make<Metric>(
      R"({"type": "boundary_ap", "iou_thresholds": [0.5], "dilation_ratio": )" + std::to_string(dilation_ratio) + "}",
      context(1));
  Truth truth;
  truth.sample.instances = {boundary_instance({10, 0, 40, 40})};
  metric->update({.id = "1", .instances = {boundary_instance({11, 0, 40, 40}, 0.9)}}, truth);
  return metric->compute().values.front().value;
}

}  // namespace

TEST_CASE("boundary_ap: boundaries decide, as wide as their share of the diagonal, and the image's edge is one") {
  // Masks of 40 x 40 moved by one pixel: IoU 0.95. The diagonal is 100 pixels. Of boundaries one pixel wide, 156
  // pixels each, two rows of 39 are common: IoU 78 / 234 = 1/3. Of boundaries four pixels wide, 576 pixels each: four
  // rows of 39 at both ends and 3 of 4 columns on both sides between: 504 / 648 = 0.78.
  CHECK(boundary_value(0.01) == 0);
  CHECK(boundary_value(0.04) == doctest::Approx(1));
  CHECK(boundary_value(0.001) == 0);  // at least one pixel
}
