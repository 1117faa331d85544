// A sample that has every kind of annotation, all of one and the same random regions, and a test that a geometric
// transform moved them together.
#pragma once

#include <sectile/random.h>
#include <sectile/transform.h>
#include <opencv2/core.hpp>

#include "support/test.h"

namespace sectile::test {

// Regions of class 1, 2 and 3 on background 0. The image's first channel is the class times 60, so that positions
// can be compared; instance k is region k, with a bitmap, run lengths, and a box alone.
inline Sample annotated(cv::Size size = {23, 17}) {
  Sample sample;
  sample.id = "annotated";
  sample.image = cv::Mat(size, CV_8UC3, cv::Scalar(0, 0, 0));
  sample.labels = cv::Mat(size, CV_16S, cv::Scalar(0));
  sample.segment_ids = cv::Mat(size, CV_32S, cv::Scalar(100));
  sample.segments.push_back({100, 0, false});
  const cv::Rect boxes[] = {{2, 1, 6, 5}, {10, 3, 9, 4}, {4, 9, 12, 6}};
  for (int i = 0; i < 3; ++i) {
    const int category = i + 1;
    sample.image(boxes[i]).setTo(cv::Scalar(60 * category, 255 - 60 * category, 7));
    sample.labels(boxes[i]).setTo(category);
    sample.segment_ids(boxes[i]).setTo(100 + category);
    sample.segments.push_back({100 + category, category, false});
    Instance instance;
    instance.category = category;
    instance.id = 100 + category;
    instance.area = boxes[i].area();
    instance.box = boxes[i];
    const cv::Mat bits = sample.labels == category;
    if (i == 0) instance.mask = Mask(cv::Mat(bits / 255));
    if (i == 1) instance.mask = Mask(Mask(cv::Mat(bits / 255)).rle());
    sample.instances.push_back(instance);
  }
  cv::Mat target;
  sample.labels.convertTo(target, CV_32F);
  sample.targets["linear"] = target;
  sample.targets["nearest"] = sample.labels.clone();
  return sample;
}

// Where a position of the result was: by the geometry record, which led from `before` to `after`.
inline cv::Point source(const Sample& after, int x, int y) {
  const cv::Vec4d at = after.geometry.to_original * cv::Vec4d(x + 0.5, y + 0.5, 0.5, 1);
  constexpr double kRounding = 1e-9;  // of matrix products, where it lies on the border of two pixels
  return {cvFloor(at[0] + kRounding), cvFloor(at[1] + kRounding)};
}

// `before` is as it was read: its geometry is untouched.
inline void check_moved_together(const Sample& before, const Sample& after, bool mixes_pixels = false) {
  REQUIRE(after.labels.size() == after.image.size());
  REQUIRE(after.segment_ids.size() == after.image.size());
  int wrong = 0;
  for (int y = 0; y < after.image.rows; ++y)
    for (int x = 0; x < after.image.cols; ++x) {
      const cv::Point at = source(after, x, y);
      const bool inside = cv::Rect({}, before.image.size()).contains(at);
      const int label = inside ? before.labels.at<std::int16_t>(at) : kIgnore;
      wrong += after.labels.at<std::int16_t>(y, x) != label;
      wrong += after.targets.at("nearest").at<std::int16_t>(y, x) != label;
      wrong += after.segment_ids.at<std::int32_t>(y, x) != (inside ? before.segment_ids.at<std::int32_t>(at) : 0);
      if (mixes_pixels || !inside) continue;
      wrong += after.image.at<cv::Vec3b>(y, x) != before.image.at<cv::Vec3b>(at);
      wrong += after.targets.at("linear").at<float>(y, x) != static_cast<float>(label);
    }
  CHECK(wrong == 0);

  for (const Instance& instance : after.instances) {
    const cv::Mat bits = after.labels == instance.category;
    if (!instance.mask.empty()) {
      CHECK(cv::norm(instance.mask.bitmap() * 255, bits, cv::NORM_INF) == 0);
      CHECK(instance.box == Mask(cv::Mat(bits / 255)).box());
    } else if (!mixes_pixels) {
      CHECK(instance.box == Mask(cv::Mat(bits / 255)).box());
    }
  }
  for (int category = 1; category <= 3; ++category) {
    const bool there = cv::countNonZero(after.labels == category) > 0;
    int found = 0;
    for (const Instance& instance : after.instances) found += instance.category == category;
    CHECK(found == (there ? 1 : 0));
  }
}

inline Sample applied(const Transform& transform, Sample sample, std::uint64_t seed = 1) {
  Draw draw(Random{seed}, nullptr);
  transform.apply(sample, draw);
  return sample;
}

}  // namespace sectile::test
