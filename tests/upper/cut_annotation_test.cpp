// Annotations of which transforms cut off a part.
#include <ATen/ATen.h>
#include <opencv2/core.hpp>

#include "support/test.h"
#include "upper/loading/cut_annotation.h"

using namespace sectile;

namespace {

Instance stated(const cv::Rect& box, bool has_mask) {
  Instance made;
  made.box = cv::Rect2f(box);
  made.area = 77;
  cv::Mat bits = cv::Mat::zeros(20, 30, CV_8U);
  bits(box) = cv::Scalar(1);
  if (has_mask) made.mask = Mask(bits);
  return made;
}

}  // namespace

TEST_CASE("what is cut off is no part of objects and segments, and what is not stays as stated") {
  const auto unseen = at::ones({20, 30}, at::kBool);
  unseen.slice(0, 5, 15).slice(1, 10, 25).fill_(false);
  Sample sample;
  for (const bool has_mask : {true, false})
    for (const auto& box : {cv::Rect(12, 6, 4, 4), cv::Rect(8, 0, 6, 8), cv::Rect(0, 0, 9, 20)})
      sample.instances.push_back(stated(box, has_mask));
  sample.segment_ids = cv::Mat(20, 30, CV_32S, cv::Scalar(1));
  sample.segment_ids.colRange(0, 10).setTo(2);
  const cv::Mat before = sample.segment_ids;
  sample.segments = {{.id = 1, .category = 4}, {.id = 2, .category = 5}};
  cut_annotation(unseen, sample);
  REQUIRE(sample.instances.size() == 4);
  for (const std::size_t first : {0, 2}) {
    CAPTURE(first);
    const auto &whole = sample.instances[first], &part = sample.instances[first + 1];
    CHECK(whole.box == cv::Rect2f(12, 6, 4, 4));
    CHECK(whole.area == 77);
    CHECK(part.box == cv::Rect2f(10, 5, 4, 3));
    CHECK(!part.area);
    CHECK(part.mask.empty() == (first == 2));
  }
  CHECK(sample.instances[0].mask.area() == 16);
  CHECK(sample.instances[1].mask.area() == 12);
  REQUIRE(sample.segments.size() == 1);
  CHECK(sample.segments[0].category == 4);
  CHECK(cv::countNonZero(sample.segment_ids) == 10 * 15);
  CHECK(cv::countNonZero(before) == 20 * 30);  // the dataset's own

  std::vector<Instance> found{stated({12, 6, 10, 10}, true), stated({8, 0, 6, 8}, false)};
  found[0].box = {11, 6, 11, 9};
  cut_objects(unseen, found);
  CHECK(found[0].box == cv::Rect2f(11, 6, 11, 9));
  CHECK(found[0].mask.area() == 10 * 9);
  CHECK(found[1].box == cv::Rect2f(10, 5, 4, 3));
  CHECK(found[1].mask.empty());
}
