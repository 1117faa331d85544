// Samples drawn as one image.
#include <sectile/error.h>
#include <opencv2/core.hpp>

#include "ground/overlays/overlay.h"
#include "ground/overlays/sample_view.h"
#include "support/annotated.h"
#include "support/test.h"

using namespace sectile;

namespace {

LabelMap four_classes() {
  LabelMap labels;
  for (int i = 0; i < 4; ++i) {
    LabelClass made;
    made.name = std::to_string(i);
    made.color = {static_cast<std::uint8_t>(60 * i), 200, 10};
    labels.classes.push_back(made);
  }
  return labels;
}

bool same_part(const cv::Mat& view, int x, const cv::Mat& part) {
  return cv::norm(view.colRange(x, x + part.cols), part, cv::NORM_INF) == 0;
}

}  // namespace

TEST_CASE("a sample's view is its image, its labels on it, and its targets in grayscale") {
  const auto sample = test::annotated();  // 23 x 17, targets "linear" and "nearest"
  const auto classes = four_classes();
  const cv::Mat view = sample_view(sample, classes);
  REQUIRE(view.size() == cv::Size(4 * 23 + 3 * 4, 17));
  CHECK(same_part(view, 0, sample.image));
  CHECK(same_part(view, 23, cv::Mat(17, 4, CV_8UC3, cv::Scalar::all(255))));
  CHECK(same_part(view, 27, overlay(sample.image, sample.labels, classes)));
  CHECK(view.at<cv::Vec3b>(1, 54 + 2) == cv::Vec3b(85, 85, 85));  // class 1 of 0 to 3
  CHECK(view.at<cv::Vec3b>(9, 81 + 4) == cv::Vec3b(255, 255, 255));
}

TEST_CASE("a sample's view shows objects where there are no labels, or if asked to") {
  auto sample = test::annotated();
  sample.targets.clear();
  const auto classes = four_classes();
  const cv::Mat objects = overlay(sample.image, sample.instances, classes, Scores::hidden);
  CHECK(same_part(sample_view(sample, classes, true), 27, objects));
  sample.labels = cv::Mat();
  CHECK(same_part(sample_view(sample, classes), 27, objects));
  sample.instances.clear();
  CHECK(sample_view(sample, classes, true).size() == cv::Size(23, 17));
}

TEST_CASE("a sample's view takes labels per class, images of other types, and the middle of a volume") {
  auto sample = test::annotated();
  sample.targets.clear();
  const auto classes = four_classes();
  const cv::Mat expected = overlay(sample.image, sample.labels, classes);
  std::vector<cv::Mat> shares(4);
  for (int i = 0; i < 4; ++i) {
    const cv::Mat inside = sample.labels == i;
    inside.convertTo(shares[static_cast<std::size_t>(i)], CV_32F, 0.6 / 255, 0.1);
  }
  cv::Mat labels = sample.labels.clone();
  cv::merge(shares, sample.labels);
  CHECK(same_part(sample_view(sample, classes), 27, expected));
  const int sizes[] = {3, 17, 23};
  Sample volume;
  volume.image = cv::Mat(3, sizes, CV_16UC(5), cv::Scalar::all(0));
  volume.labels = cv::Mat(3, sizes, CV_16S, cv::Scalar(kIgnore));
  for (std::size_t i = 0; i < labels.total(); ++i)
    volume.labels.ptr<std::int16_t>(1)[i] = labels.ptr<std::int16_t>()[i];
  const cv::Mat black(17, 23, CV_8UC3, cv::Scalar::all(0));
  CHECK(same_part(sample_view(volume, classes), 27, overlay(black, labels, classes)));
  volume.labels = cv::Mat(17, 20, CV_16S, cv::Scalar(0));
  CHECK_THROWS_WITH_AS(sample_view(volume, classes), doctest::Contains("image and labels differ in size"), DataError);
}

TEST_CASE("a sample's view shows the channels of a target beside each other, up to sixteen") {
  auto sample = test::annotated();
  sample.targets.clear();
  cv::Mat target(sample.image.size(), CV_32FC(2), cv::Scalar(-1, 5));
  target.at<cv::Vec2f>(3, 4) = {1, 5};
  target.at<cv::Vec2f>(6, 7) = {-1, 7};
  sample.targets["distances"] = target;
  const cv::Mat view = sample_view(sample, four_classes());
  REQUIRE(view.cols == 4 * 23 + 3 * 4);
  const cv::Vec3b black(0, 0, 0), white(255, 255, 255);
  CHECK(view.at<cv::Vec3b>(3, 54 + 4) == white);
  CHECK(view.at<cv::Vec3b>(6, 54 + 7) == black);
  CHECK(view.at<cv::Vec3b>(3, 81 + 4) == black);
  CHECK(view.at<cv::Vec3b>(6, 81 + 7) == white);
  sample.targets["distances"] = cv::Mat(sample.image.size(), CV_32FC(20), cv::Scalar(0));
  CHECK(sample_view(sample, four_classes()).cols == 18 * 23 + 17 * 4);
}
