// Samples of which the plugins' expected.py know what published implementations make, and the comparison with that.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string>
#include <vector>

#include <sectile/transform.h>
#include <nlohmann/json.hpp>
#include <opencv2/core.hpp>

#include "support/annotated.h"
#include "support/test.h"
#include "support/transforms.h"

namespace sectile::test {

// 8U of one channel, whose neighboring pixels differ by at most 12, and labels of three classes in patches.
inline Sample patterned(cv::Size size) {
  Sample sample;
  sample.id = "patterned";
  sample.image = cv::Mat(size, CV_8U);
  sample.labels = cv::Mat(size, CV_16S);
  for (int y = 0; y < size.height; ++y)
    for (int x = 0; x < size.width; ++x) {
      sample.image.at<std::uint8_t>(y, x) = static_cast<std::uint8_t>(std::abs((4 * (3 * x + 2 * y)) % 510 - 255));
      sample.labels.at<std::int16_t>(y, x) = static_cast<std::int16_t>((x / 5 + y / 4) % 3);
    }
  return sample;
}

// expected: "size", "values" (-1 where the reference mixes in what is outside) and "labels" (-1 outside). OpenCV's
// positions are multiples of 1/32 pixel: labels next to a border may differ.
inline void check_as_expected(const Sample& found, const nlohmann::json& expected) {
  const auto size = expected["size"].get<std::vector<int>>();
  REQUIRE(std::vector<int>{found.image.rows, found.image.cols} == size);
  const auto values = expected["values"].get<std::vector<int>>();
  const auto labels = expected["labels"].get<std::vector<int>>();
  REQUIRE(values.size() == found.image.total());
  double difference = 0, count = 0, wrong = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const cv::Point at(static_cast<int>(i) % size[1], static_cast<int>(i) / size[1]);
    wrong += found.labels.at<std::int16_t>(at) != labels[i];
    if (values[i] < 0) continue;
    difference += std::abs(found.image.at<std::uint8_t>(at) - values[i]);
    ++count;
  }
  CHECK(count > 0.3 * static_cast<double>(values.size()));
  CHECK(difference <= count);  // one grey level on average
  CHECK(wrong <= 0.03 * static_cast<double>(values.size()));
}

// boxes: what each "rotate_method" makes of the box from (7, 4) to (19, 11) of an object without a mask, in an image of
// 24 x 18 pixels: [left, top, right, bottom]. with_method: a transform by its name.
template <class WithMethod>
void check_boxes_as_expected(const WithMethod& with_method, const nlohmann::json& boxes) {
  REQUIRE(boxes.size() == 2);
  Sample sample = patterned({24, 18});
  sample.instances.emplace_back();
  sample.instances.back().box = {7, 4, 12, 7};
  for (const auto& [method, expected] : boxes.items()) {
    CAPTURE(method);
    const auto after = applied(*with_method(method), sample);
    REQUIRE(after.instances.size() == 1);
    const cv::Rect2f& box = after.instances[0].box;
    const float edges[] = {box.x, box.y, box.br().x, box.br().y};
    const auto wanted = expected.template get<std::vector<float>>();
    REQUIRE(wanted.size() == 4);
    for (std::size_t i = 0; i < 4; ++i) CHECK(std::abs(edges[i] - wanted[i]) <= 2e-3);
  }
}

inline Warp drawn_warp(const Transform& transform, const Sample& sample, std::uint64_t seed = 1) {
  Draw draw(Random{seed}, nullptr);
  return dynamic_cast<const GeometricTransform&>(transform).warp(sample, draw);
}

// Images and volumes of every type and of few pixels, without annotation. The transform is always applied.
inline void check_takes_any_image(const Transform& transform) {
  for (const int depth : {CV_8U, CV_16U, CV_16S, CV_32F})
    for (const int channels : {1, 3, 4, 7})
      for (const cv::Size size : {cv::Size(1, 1), cv::Size(5, 1), cv::Size(1, 5), cv::Size(7, 9)})
        for (const bool volume : {false, true}) {
          CAPTURE(depth);
          CAPTURE(channels);
          CAPTURE(size.width);
          CAPTURE(volume);
          const int sizes[] = {2, size.height, size.width};
          Sample sample;
          sample.id = "any";
          const int type = CV_MAKETYPE(depth, channels);
          sample.image = volume ? cv::Mat(3, sizes, type) : cv::Mat(size, type);
          sample.image.reshape(1).setTo(9);
          const Sample after = applied(transform, sample);
          CHECK(after.image.type() == type);
          CHECK(after.image.dims == sample.image.dims);
          CHECK(after.labels.empty());
          CHECK(after.instances.empty());
        }
}

}  // namespace sectile::test
